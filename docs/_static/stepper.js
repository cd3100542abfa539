// Steps through the figure of a run. docs/_ext/run_steps.py has put the steps into the page, hidden: the line of code of each,
// what is lent, what is in the queue. Without this file the figure stands as it is.
for (const list of document.querySelectorAll("ol.run-steps")) {
    const figure = list.closest("figure");
    const steps = list.children.length;
    const drawings = Array.from(figure.querySelectorAll("svg.lanes-svg"), (drawing) => drawing.querySelectorAll(".lanes-row"));
    let now = 0; // the step that is shown, from 1 on; 0: the figure as it is

    const panel = document.createElement("div");
    panel.className = "run-panel";
    const bar = document.createElement("div");
    bar.className = "run-stepper";
    const add = (name, text, does) => {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = text;
        button.title = name;
        button.addEventListener("click", does);
        bar.append(button);
        return button;
    };
    const previous = add("Previous step (left arrow)", "Previous", () => go(now - 1));
    const next = add("Next step (right arrow)", "Next", () => go(now + 1));
    const whole = add("The whole figure again (Escape)", "Whole figure", () => go(0));

    const go = (step) => {
        now = Math.min(Math.max(step, 0), steps);
        previous.disabled = whole.disabled = now === 0;
        next.disabled = now === steps;
        next.textContent = now === 0 ? "Step through it" : "Next";
        figure.classList.toggle("stepping", now > 0);
        list.hidden = now === 0;
        for (let i = 0; i < steps; ++i) {
            list.children[i].hidden = i + 1 !== now;
            for (const rows of drawings) {
                rows[i].classList.toggle("now", i + 1 === now);
                rows[i].classList.toggle("later", now > 0 && i + 1 > now);
            }
        }
        if (now > 0) {
            show(now - 1);
        }
    };

    // The panel stays at the lower edge of the window. The row is to be seen above it.
    const show = (index) => {
        const row = drawings.map((rows) => rows[index]).find((one) => one.getClientRects().length > 0);
        if (row) {
            const { top, bottom } = row.getBoundingClientRect();
            const [least, most] = [60, Math.min(panel.getBoundingClientRect().top, window.innerHeight) - 20];
            if (bottom > most) {
                window.scrollBy({ top: bottom - most, behavior: "instant" });
            } else if (top < least) {
                window.scrollBy({ top: top - least, behavior: "instant" });
            }
        }
    };

    const keys = {
        ArrowRight: () => go(now + 1),
        ArrowLeft: () => go(now - 1),
        Home: () => go(1),
        End: () => go(steps),
        Escape: () => go(0),
    };
    figure.tabIndex = 0;
    figure.addEventListener("keydown", (event) => {
        if (event.key in keys && !event.altKey && !event.ctrlKey && !event.metaKey && !event.target.closest("pre")) {
            event.preventDefault();
            keys[event.key]();
        }
    });
    for (const rows of drawings) {
        rows.forEach((row, index) => row.addEventListener("click", () => go(index + 1)));
    }
    list.setAttribute("aria-live", "polite");
    new IntersectionObserver(([seen]) => figure.classList.toggle("in-sight", seen.isIntersecting)).observe(figure);
    list.before(panel);
    panel.append(bar, list);
    go(0);
}

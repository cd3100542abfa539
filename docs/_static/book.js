// On paper everything that is folded is open. (Browsers that know ::details-content do it by book.css alone.)
window.addEventListener("beforeprint", () => {
    for (const folded of document.querySelectorAll("details:not([open])")) {
        folded.open = true;
        folded.dataset.closedAgain = "";
    }
});
window.addEventListener("afterprint", () => {
    for (const folded of document.querySelectorAll("details[data-closed-again]")) {
        folded.open = false;
        delete folded.dataset.closedAgain;
    }
});

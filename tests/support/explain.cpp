#include "tests/support/explain.hpp"

#include "tests/support/chapter.hpp"
#include "tests/support/csv.hpp"
#include "tests/support/needs.hpp"
#include "tests/support/options.hpp"

#include "explained_csv.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <set>

namespace support {

namespace {

bool any_failed = false;

// Below what doctest says of a case that has failed: the page that explains it.
struct explaining_listener : doctest::IReporter {
    explicit explaining_listener(const doctest::ContextOptions& options) : out_(*options.cout) {}

    void test_case_start(const doctest::TestCaseData& started) override { name_ = started.m_name; }

    void test_case_end(const doctest::CurrentTestCaseStats& ended) override {
        if (ended.failure_flags != 0) {
            any_failed = true;
            out_ << "  explained in: " << page_of(name_) << "\n\n";
        }
    }

    void report_query(const doctest::QueryData&) override {}
    void test_run_start() override {}
    void test_run_end(const doctest::TestRunStats&) override {}
    void test_case_reenter(const doctest::TestCaseData&) override {}
    void test_case_exception(const doctest::TestCaseException&) override {}
    void subcase_start(const doctest::SubcaseSignature&) override {}
    void subcase_end() override {}
    void log_assert(const doctest::AssertData&) override {}
    void log_message(const doctest::MessageData&) override {}
    void test_case_skipped(const doctest::TestCaseData&) override {}

private:
    std::ostream& out_;
    std::string_view name_;
};

REGISTER_LISTENER("explain", 0, explaining_listener);

std::string joined(const auto& words) {
    std::string all;
    for (const auto& word : words) {
        all += (all.empty() ? "" : ",") + std::string(word);
    }
    return all;
}

void print_not_run() {
    std::set<std::string_view> missing;
    const std::vector<undeclared_case> cases = undeclared_cases();
    for (const undeclared_case& one : cases) {
        missing.insert(one.words.begin(), one.words.end());
    }
    std::cout << "\nNot run: " << cases.size()
              << " checks. They are among those counted as skipped; the others belong to other chapters. Your server\n"
                 "may well pass them, but it was not said that it has what they use.\n\n";
    for (const undeclared_case& one : cases) {
        std::cout << "  " << one.name << "  [" << joined(one.words) << "]\n";
    }
    std::cout << "\nDeclare what your server has, for instance --has " << joined(missing) << "\n\n";
    for (const feature& one : all_features()) {
        if (missing.contains(one.word)) {
            std::cout << "  " << std::left << std::setw(16) << one.word << one.meaning << "\n";
        }
    }
}

} // namespace

std::string page_of(std::string_view test_case) {
    for (const std::vector<std::string_view>& cells : csv_rows(explained_csv)) {
        if (cells[0] == test_case && std::atoi(std::string(cells[1]).c_str()) <= chapter.number) {
            return std::string(cells[2]);
        }
    }
    return (chapter.number == encore ? "encores/" : "chapters/") + std::string(chapter.name);
}

void print_after_own_program() {
    if (any_failed) {
        std::cout << "\nSome checks failed. The pages named below them are in the site, which ./tutorial docs builds. "
                     "To see\n"
                     "what your server does with Winsock and the port, and which rule it breaks: ./tutorial watch "
                  << the_options().program.filename().string() << "\n";
    }
    if (!undeclared_cases().empty()) {
        print_not_run();
    }
    std::cout << std::flush;
}

} // namespace support

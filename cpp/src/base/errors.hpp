// The two kinds of error: a mistake that ends the run, and a picture that cannot be used.
#pragma once

#include <stdexcept>
#include <string>

namespace residua {

// What the user can mend. The message says what was given, and in a second line the next step.
struct UserError : std::runtime_error {
    explicit UserError(const std::string& problem, const std::string& next_step = "")
        : std::runtime_error(next_step.empty() ? problem : problem + "\n" + next_step) {}
};

// One picture that cannot be used; `reason` is a code for machines, the same as residua's.
struct ImageError : std::runtime_error {
    ImageError(std::string code, const std::string& problem)
        : std::runtime_error(problem), reason(std::move(code)) {}

    std::string reason;  // "not-an-image", "too-large", "damaged" or "unreadable"
};

}  // namespace residua

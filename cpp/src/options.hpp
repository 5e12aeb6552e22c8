// The command line.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pixels/limits.hpp"

namespace residua {

struct Options {
    std::string bundle;
    std::vector<std::string> images;
    std::string export_name = "openvino";
    std::string cache;
    std::optional<size_t> top_k;
    std::optional<double> threshold;
    std::optional<size_t> batch;
    size_t threads = 0;  // 0: all cores
    bool json = false;
    bool throughput = false;
    bool exact = false;
    Limits limits;
};

// What --help prints.
extern const char* const help;

// Reads the arguments; nothing where --help was asked for. Throws UsageError.
std::optional<Options> read_options(const std::vector<std::string>& arguments);

// A misspelt command; the exit code is then 2.
struct UsageError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace residua

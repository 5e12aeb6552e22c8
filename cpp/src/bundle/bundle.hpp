// A residua bundle: what bundle.json says, and the export that is to be run.
#pragma once

#include <string>
#include <vector>

#include "pixels/preprocess.hpp"

namespace residua {

struct Bundle {
    std::string model;  // the file that OpenVINO opens
    std::string export_name;
    std::vector<std::string> classes;  // in the order of the outputs
    Preprocess preprocess;
    bool multi_label = false;
};

// Reads the bundle in `folder`; of its exports it takes `export_name`. The files of the export are
// verified: size and SHA-256. Throws UserError.
Bundle read_bundle(const std::string& folder, const std::string& export_name);

// Only what the crops need: no export has to be there.
Preprocess read_preprocess(const std::string& folder);

}  // namespace residua

// What is handed in: files, and folders, which are walked in sorted order.
#pragma once

#include <string>
#include <vector>

#include "pixels/limits.hpp"

namespace residua {

// One picture to come: its path, which is its name in the results, or why there is none.
struct Item {
    std::string name;
    std::string problem;  // empty where it can be tried
};

// Names the pictures of `paths`, in order. "-" stands for standard input, a path a line.
//
// Folders are searched recursively, their files before their folders, both sorted by their bytes;
// hidden ones are passed over. Files count as pictures by suffix, or by their first bytes where
// the suffix says nothing.
std::vector<Item> list_items(const std::vector<std::string>& paths);

// The bytes of a file, one more than the limit at the most. Throws ImageError.
std::string read_file(const Item& item, const Limits& limits);

}  // namespace residua

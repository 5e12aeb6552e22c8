#include "pixels/limits.hpp"

#include <algorithm>
#include <cstdio>

#include "base/text.hpp"

namespace residua {

namespace {

std::string spell_sides(uint64_t width, uint64_t height) {
    return std::to_string(width) + " x " + std::to_string(height);
}

}  // namespace

std::string spell_millions(uint64_t pixels) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%g", static_cast<double>(pixels) / 1e6);
    return buffer;
}

void check_bytes(uint64_t count, const Limits& limits, const std::string& name) {
    if (count > limits.max_bytes)
        throw ImageError("too-large", name + " has " + spell_size(count) + "; the limit is " +
                                          spell_size(limits.max_bytes) + ".");
}

void check_size(uint64_t width, uint64_t height, const Limits& limits, const std::string& name) {
    std::string rule;
    if (std::max(width, height) > limits.max_side)
        rule = "the limit of a side is " + std::to_string(limits.max_side);
    else if (width * height > limits.max_pixels)
        rule = "the limit is " + spell_millions(limits.max_pixels) + " million pixels";
    else
        return;
    throw ImageError("too-large",
                     name + " declares " + spell_sides(width, height) + " pixels; " + rule + ".");
}

void check_frames(uint64_t count, const Limits& limits, const std::string& name) {
    if (count > limits.max_frames)
        throw ImageError("too-large", name + " has " + std::to_string(count) +
                                          " frames or more; the limit is " +
                                          std::to_string(limits.max_frames) + ".");
}

ImageError no_memory(int width, int height, const std::string& name) {
    const auto side = [](int value) { return static_cast<uint64_t>(value); };
    return {"too-large", name + " of " + spell_sides(side(width), side(height)) +
                             " pixels does not fit into memory."};
}

ImageError damaged(const std::string& kind, const std::string& what, const std::string& name) {
    return {"damaged", name + " is a damaged or unsupported " + kind + ": it " + what + "."};
}

}  // namespace residua

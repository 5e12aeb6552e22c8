// What a picture may ask of this machine, decided from its header before anything is decoded.
#pragma once

#include <cstdint>
#include <string>

#include "base/errors.hpp"

namespace residua {

struct Limits {
    uint64_t max_bytes = 64'000'000;
    uint64_t max_pixels = 100'000'000;  // of the first frame, and of what the resize makes of it
    uint64_t max_side = 65'535;
    uint64_t max_frames = 10'000;
};

// Each throws ImageError "too-large".
void check_bytes(uint64_t count, const Limits& limits, const std::string& name);
void check_size(uint64_t width, uint64_t height, const Limits& limits, const std::string& name);
void check_frames(uint64_t count, const Limits& limits, const std::string& name);

// A number of pixels in millions: "100", "0.5".
std::string spell_millions(uint64_t pixels);

// The error of a picture within the limits for which this machine has no memory.
ImageError no_memory(int width, int height, const std::string& name);

// The error of a file whose format is known; `what` completes "it …".
ImageError damaged(const std::string& kind, const std::string& what, const std::string& name);

}  // namespace residua

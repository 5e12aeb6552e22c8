// Bytes to crop, by the one definition of preprocessing: residua's src/residua/pixels/prepare.py.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pixels/limits.hpp"
#include "pixels/preprocess.hpp"

namespace residua {

// Returns the crop of a JPEG or PNG file: [crop_size, crop_size, channels] bytes.
//
// With the pillow resampler a JPEG is decoded at 1/2, 1/4 or 1/8 of its size where its short side
// then still is four times that of the resized picture; `exact` turns it off.
//
// Throws ImageError that names the file by `name`, and nothing else whatever the bytes are.
std::vector<uint8_t> prepare(std::string_view data, const Preprocess& preprocess,
                             const Limits& limits, const std::string& name, bool exact = false);

}  // namespace residua

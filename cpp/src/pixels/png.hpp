// PNG decoded with zlib, by the rules of Pillow, which has a decoder of its own: libpng would
// refuse other files, and give other pixels where a file is damaged.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "pixels/header.hpp"
#include "pixels/image.hpp"

namespace residua {

enum class PngKind { grey, grey16, grey_alpha, rgb, rgba, palette };

// A decoded PNG before it is brought to the wanted colour. `pixels` has a channel for each sample
// of 8 bits; of grey16 two, the high byte first; of a palette the index.
struct PngPicture {
    PngKind kind = PngKind::grey;
    Image pixels;
    std::array<std::array<uint8_t, 4>, 256> palette{};   // RGB and alpha
    size_t alphas = 0;                                   // how many entries the file gives an alpha
    std::optional<std::array<uint32_t, 3>> transparent;  // the colour that is, of grey and RGB
};

// `header` is of read_png_header. Throws BrokenPicture or std::bad_alloc.
PngPicture decode_png(const Header& header);

}  // namespace residua

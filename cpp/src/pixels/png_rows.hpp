// The compressed part of a PNG: inflated, unfiltered, row by row.
#pragma once

#include <string_view>
#include <vector>

#include "pixels/image.hpp"

namespace residua {

struct PngLayout {
    int width = 0, height = 0;
    int depth = 8;    // bits a sample
    int samples = 1;  // a pixel
    bool interlaced = false;

    int bits() const { return depth * samples; }
    // Of 16-bit samples only the high byte is kept, but for grey, whose low byte may tell that a
    // row is there.
    bool high_bytes_only() const { return depth == 16 && samples > 1; }
    int channels() const { return depth == 16 && samples == 1 ? 2 : samples; }
    size_t row_bytes(int columns) const {
        return (static_cast<size_t>(columns) * static_cast<size_t>(bits()) + 7) / 8;
    }
};

// One of the passes of an interlaced picture: its first column and row, and the steps.
struct PngPass {
    int left, top, right, down;
    int columns(int width) const { return (width - left + right - 1) / right; }
    int rows(int height) const { return (height - top + down - 1) / down; }
};

// The passes that have pixels.
std::vector<PngPass> list_passes(const PngLayout& layout);

// Inflates `parts` (the contents of the IDAT chunks that follow one another) into `image`, which
// has `layout.channels()`. As in Pillow, rows that are missing from a stream which ends in good
// order stay zero. Throws BrokenPicture.
void decode_png_rows(const std::vector<std::string_view>& parts, const PngLayout& layout,
                     Image& image);

// Whether the stream (here of all IDAT chunks) holds every row.
bool holds_every_row(const std::vector<std::string_view>& parts, const PngLayout& layout);

}  // namespace residua

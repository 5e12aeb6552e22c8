#include "pixels/png_rows.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

#include "pixels/header.hpp"

namespace residua {

namespace {

constexpr size_t part_at_once = 65536;  // as Pillow feeds its decoder

class Inflater {
public:
    Inflater() {
        if (inflateInit(&stream_) != Z_OK) throw std::bad_alloc();
    }
    ~Inflater() { inflateEnd(&stream_); }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;

    void feed(std::string_view data) {
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
        stream_.avail_in = static_cast<uInt>(data.size());
    }
    bool hungry() const { return stream_.avail_in == 0; }

    // Inflates up to `size` bytes; returns how many, and zlib's answer in `status`.
    size_t inflate_into(uint8_t* target, size_t size, int& status) {
        stream_.next_out = target;
        stream_.avail_out = static_cast<uInt>(size);
        status = inflate(&stream_, Z_NO_FLUSH);
        return size - stream_.avail_out;
    }

private:
    z_stream stream_{};
};

uint8_t predict_paeth(int left, int above, int corner) {
    const int to_left = std::abs(above - corner), to_above = std::abs(left - corner);
    const int to_corner = std::abs(left + above - 2 * corner);
    if (to_left <= to_above && to_left <= to_corner) return static_cast<uint8_t>(left);
    return static_cast<uint8_t>(to_above <= to_corner ? above : corner);
}

// Undoes the filter of a row whose first byte names it; `step` is the distance of the same sample
// in the pixel before. Returns false where there is no such filter.
bool unfilter(std::vector<uint8_t>& row, const std::vector<uint8_t>& above, size_t size,
              size_t step) {
    const auto left = [&](size_t i) { return i > step ? row[i - step] : uint8_t{0}; };
    const auto add = [&](size_t i, int value) { row[i] = static_cast<uint8_t>(row[i] + value); };
    switch (row[0]) {
        case 0:
            return true;
        case 1:
            for (size_t i = step + 1; i <= size; ++i) add(i, row[i - step]);
            return true;
        case 2:
            for (size_t i = 1; i <= size; ++i) add(i, above[i]);
            return true;
        case 3:
            for (size_t i = 1; i <= size; ++i) add(i, (left(i) + above[i]) / 2);
            return true;
        case 4:
            for (size_t i = 1; i <= size; ++i)
                add(i, predict_paeth(left(i), above[i], i > step ? above[i - step] : 0));
            return true;
        default:
            return false;
    }
}

// Puts the pixels of an unfiltered row where they belong.
void place(const uint8_t* data, const PngLayout& layout, const PngPass& pass, int y, Image& image) {
    const int columns = pass.columns(layout.width), bits = layout.bits();
    const int mask = (1 << (bits < 8 ? bits : 0)) - 1;
    const int kept = image.channels(), step = layout.high_bytes_only() ? 2 : 1;
    if (bits >= 8 && pass.right == 1 && step == 1) {
        std::memcpy(image.row(y), data, image.stride());
        return;
    }
    for (int index = 0; index < columns; ++index) {
        uint8_t* target = image.pixel(pass.left + index * pass.right, y);
        if (bits < 8) {
            const int shift = 8 - bits - index * bits % 8;
            *target = static_cast<uint8_t>(data[index * bits / 8] >> shift & mask);
        } else {
            const uint8_t* source = data + static_cast<ptrdiff_t>(index) * (bits / 8);
            for (int channel = 0; channel < kept; ++channel)
                target[channel] = source[channel * step];
        }
    }
}

[[noreturn]] void refuse(const std::string& why) {
    throw BrokenPicture("cannot be decoded (" + why + ")");
}

}  // namespace

std::vector<PngPass> list_passes(const PngLayout& layout) {
    if (!layout.interlaced) return {{0, 0, 1, 1}};
    std::vector<PngPass> passes{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
    const auto empty = [&](const PngPass& pass) {
        return pass.left >= layout.width || pass.top >= layout.height;
    };
    passes.erase(std::remove_if(passes.begin(), passes.end(), empty), passes.end());
    return passes;
}

void decode_png_rows(const std::vector<std::string_view>& parts, const PngLayout& layout,
                     Image& image) {
    const std::vector<PngPass> passes = list_passes(layout);
    const size_t longest = layout.row_bytes(layout.width) + 1;
    const size_t step = std::max<size_t>(1, static_cast<size_t>(layout.bits()) / 8);
    std::vector<uint8_t> row(longest), above(longest);
    Inflater inflater;
    size_t filled = 0, pass = 0;
    int y = passes[0].top;
    for (std::string_view part : parts) {
        for (; !part.empty(); part.remove_prefix(std::min(part.size(), part_at_once))) {
            inflater.feed(part.substr(0, part_at_once));
            while (!inflater.hungry()) {
                const size_t size = layout.row_bytes(passes[pass].columns(layout.width));
                int status = Z_OK;
                filled += inflater.inflate_into(row.data() + filled, size + 1 - filled, status);
                if (status < 0) refuse("broken data stream when reading image file");
                if (filled <= size) break;
                if (!unfilter(row, above, size, step))
                    refuse("unrecognized data stream contents when reading image file");
                place(row.data() + 1, layout, passes[pass], y, image);
                filled = 0;
                y += passes[pass].down;
                std::swap(row, above);
                if (y >= layout.height) {
                    if (++pass == passes.size()) return;
                    y = passes[pass].top;
                    std::fill(above.begin(), above.end(), uint8_t{0});
                }
                if (status == Z_STREAM_END) return;
            }
        }
    }
    refuse("image file is truncated (0 bytes not processed)");
}

bool holds_every_row(const std::vector<std::string_view>& parts, const PngLayout& layout) {
    size_t expected = 0;
    for (const PngPass& pass : list_passes(layout))
        expected += static_cast<size_t>(pass.rows(layout.height)) *
                    (1 + layout.row_bytes(pass.columns(layout.width)));
    std::vector<uint8_t> scratch(1 << 20);
    Inflater inflater;
    size_t inflated = 0;
    for (const std::string_view part : parts) {
        if (inflated >= expected) break;
        inflater.feed(part);
        int status = Z_OK;
        while (!inflater.hungry() && status != Z_STREAM_END) {
            const size_t count = inflater.inflate_into(scratch.data(), scratch.size(), status);
            if (status < 0) refuse("broken data stream when reading image file");
            inflated += count;
        }
        if (status == Z_STREAM_END) break;
    }
    return inflated >= expected;
}

}  // namespace residua

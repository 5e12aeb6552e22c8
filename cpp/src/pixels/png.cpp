#include "pixels/png.hpp"

#include <zlib.h>

#include <algorithm>

#include "pixels/png_header.hpp"
#include "pixels/png_rows.hpp"

namespace residua {

namespace {

[[noreturn]] void refuse(const std::string& why) {
    throw BrokenPicture("cannot be decoded (" + why + ")");
}

// What the chunks say, read as Pillow reads them: checksums count before the pixels only, and what
// stands behind the pixels is read too.
class Chunks {
public:
    explicit Chunks(std::string_view content) : content_(content) {
        size_t position = png_signature.size();
        bool before = true;
        while (position + 12 <= content.size()) {
            const size_t length = read_be32(content, position);
            const std::string_view kind = content.substr(position + 4, 4);
            const std::string_view body = content.substr(position + 8, length);
            if (kind == "IEND") break;
            if (kind == "IDAT") {
                before = false;
                all_parts.push_back(body);
                if (!run_ended_) parts.push_back(body);
            } else {
                run_ended_ = !before;
                read(kind, body, before);
                if (before) check_sum(position, length);
            }
            position += 12 + length;
        }
        if (!known_) refuse("not identified by this driver");
    }

    PngLayout layout;
    PngKind kind = PngKind::grey;
    std::vector<std::string_view> parts, all_parts;  // of the first run of IDAT chunks, and of all
    std::string_view palette, transparency;

private:
    void read(std::string_view name, std::string_view body, bool before) {
        if (name == "IHDR")
            read_header(body, before);
        else if (name == "PLTE" && before && kind == PngKind::palette)
            palette = body;
        else if (name == "tRNS")
            read_transparency(body);
    }

    void read_header(std::string_view body, bool before) {
        if (body.size() < 13) refuse("Truncated IHDR chunk");
        const int depth = read_byte(body, 8), colour = read_byte(body, 9);
        if (before) {
            layout.width = static_cast<int>(read_be32(body, 0));
            layout.height = static_cast<int>(read_be32(body, 4));
            layout.interlaced = layout.interlaced || read_byte(body, 12) != 0;
            known_ = set_kind(depth, colour) || known_;
        }
        if (read_byte(body, 11) != 0) refuse("unknown filter category");
    }

    bool set_kind(int depth, int colour) {
        const bool whole = depth == 8 || depth == 16, part = depth == 1 || depth == 2 || depth == 4;
        if (colour == 0 && (whole || part)) {
            kind = depth == 16 ? PngKind::grey16 : PngKind::grey;
            layout.samples = 1;
        } else if (colour == 2 && whole) {
            kind = PngKind::rgb, layout.samples = 3;
        } else if (colour == 3 && (depth == 8 || part)) {
            kind = PngKind::palette, layout.samples = 1;
        } else if (colour == 4 && whole) {
            kind = PngKind::grey_alpha, layout.samples = 2;
        } else if (colour == 6 && whole) {
            kind = PngKind::rgba, layout.samples = 4;
        } else {
            return false;
        }
        layout.depth = depth;
        return true;
    }

    void read_transparency(std::string_view body) {
        const bool colour = kind == PngKind::rgb;
        if (colour || kind == PngKind::grey || kind == PngKind::grey16)
            if (body.size() < (colour ? 6u : 2u)) refuse("Truncated tRNS chunk");
        if (kind != PngKind::grey_alpha && kind != PngKind::rgba) transparency = body;
    }

    void check_sum(size_t position, size_t length) const {
        const auto* data = reinterpret_cast<const Bytef*>(content_.data()) + position + 4;
        const uLong found = crc32(crc32(0, nullptr, 0), data, static_cast<uInt>(length + 4));
        if (found != read_be32(content_, position + 8 + length))
            refuse("broken PNG file (bad header checksum in b'" +
                   std::string(content_.substr(position + 4, 4)) + "')");
    }

    std::string_view content_;
    bool known_ = false, run_ended_ = false;
};

// Whether the last two rows are all zero, as rows that were never decoded are.
bool ends_black(const Image& image) {
    const uint8_t* first = image.row(std::max(0, image.height() - 2));
    return std::all_of(first, image.row(image.height()), [](uint8_t value) { return value == 0; });
}

// Samples of 1, 2 and 4 bits become 0…255.
void stretch(Image& image, int depth) {
    const int factor = 255 / ((1 << depth) - 1);
    std::transform(image.row(0), image.row(image.height()), image.row(0),
                   [&](uint8_t value) { return static_cast<uint8_t>(value * factor); });
}

void fill_palette(const Chunks& chunks, PngPicture& picture) {
    const size_t count = chunks.palette.size() / 3;
    if (count > picture.palette.size()) refuse("invalid palette size");
    for (auto& entry : picture.palette) entry[3] = 255;
    for (size_t index = 0; index < count; ++index)
        for (size_t channel = 0; channel < 3; ++channel)
            picture.palette[index][channel] = read_byte(chunks.palette, 3 * index + channel);
}

void fill_transparency(const Chunks& chunks, PngPicture& picture) {
    const std::string_view data = chunks.transparency;
    if (data.empty()) return;
    if (picture.kind == PngKind::palette) {
        picture.alphas = data.size();
        for (size_t index = 0; index < std::min<size_t>(data.size(), 256); ++index)
            picture.palette[index][3] = read_byte(data, index);
    } else if (picture.kind == PngKind::rgb) {
        picture.transparent = {read_be16(data, 0), read_be16(data, 2), read_be16(data, 4)};
    } else if (chunks.layout.depth == 1) {
        const uint32_t value = read_be16(data, 0) != 0 ? 255 : 0;
        picture.transparent = {value, value, value};
    } else if (picture.kind == PngKind::grey) {
        const uint32_t value = read_be16(data, 0);
        picture.transparent = {value, value, value};
    }
}

}  // namespace

PngPicture decode_png(const Header& header) {
    const Chunks chunks(header.content);
    const PngLayout& layout = chunks.layout;
    if (static_cast<uint32_t>(layout.width) != header.width ||
        static_cast<uint32_t>(layout.height) != header.height)
        throw BrokenPicture("holds another size than it declares");
    PngPicture picture;
    picture.kind = chunks.kind;
    fill_palette(chunks, picture);
    picture.pixels = Image(layout.width, layout.height, layout.channels());
    decode_png_rows(chunks.parts, layout, picture.pixels);
    if (ends_black(picture.pixels) && !holds_every_row(chunks.all_parts, layout))
        throw BrokenPicture("ends in the middle of the picture");
    if (layout.depth < 8 && picture.kind == PngKind::grey) stretch(picture.pixels, layout.depth);
    fill_transparency(chunks, picture);
    return picture;
}

}  // namespace residua

#include "pixels/png_header.hpp"

#include <algorithm>

#include "pixels/orientation.hpp"

namespace residua {

namespace {

using namespace std::string_view_literals;

constexpr int max_chunks = 1 << 18;  // 64 MB in the 8 kB chunks of libpng are 2^13
constexpr std::string_view end_chunk = "\0\0\0\0IEND\xae\x42\x60\x82"sv;

bool makes_the_picture(std::string_view kind) {
    return kind == "IHDR" || kind == "PLTE" || kind == "tRNS" || kind == "IDAT";
}

}  // namespace

void read_png_header(std::string_view data, Header& header) {
    header.cleaned = png_signature;
    bool found_pixels = false;
    size_t position = png_signature.size();
    int count = 0;
    for (; count < max_chunks && position + 8 <= data.size(); ++count) {
        const size_t length = read_be32(data, position), body = position + 8;
        const std::string_view kind = data.substr(position + 4, 4);
        position = body + length + 4;
        if (kind == "IEND") break;
        if (position > data.size()) {
            if (!makes_the_picture(kind)) break;
            throw BrokenPicture("ends in the middle of the picture");
        }
        if (makes_the_picture(kind))
            header.cleaned.append(data.substr(body - 8, position - body + 8));
        else if (kind == "acTL" && length >= 4)
            header.frames = std::max<uint64_t>(1, read_be32(data, body));
        else if (kind == "eXIf")
            header.orientation = read_orientation(data.substr(body, length));
        found_pixels = found_pixels || kind == "IDAT";
    }
    if (count == max_chunks)
        throw BrokenPicture("has more than " + std::to_string(max_chunks) + " chunks");
    if (!found_pixels || !begins_with(data, "IHDR", 12)) throw EndsEarly();
    header.width = read_be32(data, 16), header.height = read_be32(data, 20);
    header.cleaned.append(end_chunk);
    header.content = header.cleaned;
}

}  // namespace residua

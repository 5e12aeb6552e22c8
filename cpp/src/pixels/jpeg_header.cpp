#include "pixels/jpeg_header.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "pixels/orientation.hpp"

namespace residua {

namespace {

using namespace std::string_view_literals;

// Every scan goes over the whole picture, so that thousands of empty ones stall a decoder.
// Encoders write about ten.
constexpr int max_scans = 200;

constexpr uint8_t start_of_scan = 0xDA, end_of_image = 0xD9, exif_segment = 0xE1, comment = 0xFE;

bool is_progressive(uint8_t marker) {
    return marker == 0xC2 || marker == 0xC6 || marker == 0xCA || marker == 0xCE;
}

bool has_no_length(uint8_t marker) { return marker == 0x01 || (marker >= 0xD0 && marker <= 0xD7); }

// Of the application segments only JFIF's and Adobe's colour transform change pixels.
bool says_something_of_pixels(uint8_t marker) {
    return marker == 0xE0 || marker == 0xEE ||
           !((marker >= 0xE0 && marker <= 0xEF) || marker == comment);
}

struct Segment {
    uint8_t marker;
    size_t start, end;
};

// The next segment from `position` on, or none where the first scan begins. Bytes between segments
// are passed over, as Pillow and libjpeg do. Throws EndsEarly.
std::optional<Segment> find_segment(std::string_view data, size_t position) {
    for (;;) {
        const size_t start = data.find('\xff', position);
        if (start == std::string_view::npos || start + 4 > data.size()) throw EndsEarly();
        const uint8_t marker = read_byte(data, start + 1);
        if (marker == start_of_scan) return std::nullopt;
        if (marker == 0xFF) {
            position = start + 1;
        } else if (marker == 0x00 || has_no_length(marker)) {
            position = start + 2;
        } else {
            const size_t length = read_be16(data, start + 2), end = start + 2 + length;
            if (length < 2 || end > data.size() || marker == end_of_image) throw EndsEarly();
            return Segment{marker, start, end};
        }
    }
}

// Finds the next marker that is neither a restart nor a byte of data; returns the place behind it.
size_t skip_to_marker(std::string_view data, size_t position, uint8_t& marker) {
    while ((position = data.find('\xff', position)) != std::string_view::npos) {
        while (position < data.size() && data[position] == '\xff') ++position;
        if (position >= data.size()) break;
        marker = read_byte(data, position++);
        if (marker != 0x00 && !(marker >= 0xD0 && marker <= 0xD7)) return position;
    }
    return std::string_view::npos;
}

// Counts the scans up to the end of the picture or to one too many.
int count_scans(std::string_view data, size_t position) {
    int scans = 0;
    uint8_t marker = 0;
    while (scans <= max_scans) {
        const size_t behind = skip_to_marker(data, std::min(position, data.size()), marker);
        if (behind == std::string_view::npos || marker == end_of_image) break;
        scans += marker == start_of_scan;
        // Where the file ends within the length, the bytes that are left count.
        size_t length = 0;
        for (size_t at = behind; at < std::min(behind + 2, data.size()); ++at)
            length = length << 8 | read_byte(data, at);
        position = behind + std::max<size_t>(length, has_no_length(marker) ? 0 : 2);
    }
    return scans;
}

void join(const std::vector<std::string_view>& kept, Header& header) {
    for (const std::string_view piece : kept) header.cleaned.append(piece);
    header.content = header.cleaned;
}

}  // namespace

void read_jpeg_header(std::string_view data, Header& header) {
    std::vector<std::string_view> kept{data.substr(0, 2)};
    bool framed = false, progressive = false;
    size_t scan = 2, kept_bytes = 2;
    uint8_t components = 0;
    while (const std::optional<Segment> segment = find_segment(data, scan)) {
        const auto [marker, start, end] = *segment;
        const std::string_view body = data.substr(start + 4, end - start - 4);
        scan = end;
        if (starts_frame(marker)) {
            if (framed) throw BrokenPicture("has two frame headers");
            header.height = read_be16(body, 1), header.width = read_be16(body, 3);
            components = read_byte(body, 5);
            framed = true, progressive = is_progressive(marker);
        }
        if (marker == exif_segment && header.orientation == 1 &&
            begins_with(data, "Exif\0\0"sv, start + 4))
            header.orientation = read_orientation(body);
        if (says_something_of_pixels(marker)) {
            kept.push_back(data.substr(start, end - start));
            kept_bytes += end - start;
        }
    }
    if (!framed) throw BrokenPicture("has no frame header");
    // A scan of all components is the only one of a picture that is not progressive.
    const bool several =
        progressive || read_byte(data, data.find("\xff\xda", scan) + 4) < components;
    if (several && count_scans(data, scan) > max_scans)
        throw BrokenPicture("has more than " + std::to_string(max_scans) + " scans");
    header.content = data;
    if (kept_bytes != scan) {
        kept.push_back(data.substr(scan));
        join(kept, header);
    }
}

namespace {

[[noreturn]] void refuse(const std::string& why) {
    throw BrokenPicture("cannot be decoded (" + why + ")");
}

void check_tables(std::string_view body) {
    while (!body.empty()) {
        const size_t length = read_byte(body, 0) >> 4 == 0 ? 65 : 129;
        if (body.size() < length) refuse("bad quantization table marker");
        body.remove_prefix(length);
    }
}

void read_frame(std::string_view body, JpegFrame& frame) {
    frame.height = read_be16(body, 1), frame.width = read_be16(body, 3);
    const int bits = read_byte(body, 0);
    if (bits != 8) refuse("cannot handle " + std::to_string(bits) + "-bit layers");
    frame.components = read_byte(body, 5);
    if (frame.components != 1 && frame.components != 3 && frame.components != 4)
        refuse("cannot handle " + std::to_string(frame.components) + "-layer images");
    if (body.size() % 3 != 0) refuse("index out of range");  // three bytes a component follow six
}

void read_segment(uint8_t marker, std::string_view body, JpegFrame& frame) {
    if (starts_frame(marker) || marker == 0xDE)
        read_frame(body, frame);
    else if (marker == 0xDB)
        check_tables(body);
    else if ((marker == 0xE0 && begins_with(body, "JFIF")) ||
             (marker == 0xEE && begins_with(body, "Adobe")))
        read_be16(body, 5);  // a version, which must be there
}

}  // namespace

JpegFrame read_jpeg_frame(std::string_view content) try {
    JpegFrame frame;
    bool after_ff = true;  // the first three bytes are FF D8 FF
    for (size_t position = 3; position < content.size();) {
        const uint8_t marker = read_byte(content, position++);
        if (!after_ff || marker == 0xFF || marker == 0x00) {
            after_ff = marker == 0xFF;
            continue;
        }
        after_ff = false;
        if (marker < 0xC0) refuse("no marker found");
        const bool bare = marker == 0xC8 || (marker >= 0xD0 && marker <= 0xD9) ||
                          (marker >= 0xF0 && marker <= 0xFD);
        if (bare) continue;
        const size_t length = read_be16(content, position);
        const size_t size = std::max<size_t>(length, 2) - 2;
        if (position + 2 + size > content.size()) refuse("Truncated File Read");
        read_segment(marker, content.substr(position + 2, size), frame);
        position += 2 + size;
        if (marker != start_of_scan) continue;
        if (frame.components == 0) refuse("not identified by this driver");
        return frame;
    }
    refuse("cannot load this image");
} catch (const EndsEarly&) {
    refuse("unpack requires more bytes");
}

}  // namespace residua

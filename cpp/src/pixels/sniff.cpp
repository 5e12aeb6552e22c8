#include "pixels/sniff.hpp"

#include "pixels/foreign.hpp"
#include "pixels/jpeg_header.hpp"
#include "pixels/png_header.hpp"

namespace residua {

namespace {

constexpr std::string_view jpeg_start = "\xff\xd8\xff";

// Throws the error of a file that is no picture to this program.
[[noreturn]] void refuse(std::string_view data, const Limits& limits, const std::string& name) {
    const auto no_image = [&](const std::string& what) {
        return ImageError("not-an-image", name + " " + what);
    };
    if (data.empty()) throw no_image("is empty.");
    const std::string other = name_other_format(data);
    if (!other.empty())
        throw no_image("is " + other +
                       ", which residua-classify does not read: give a JPEG or PNG.");
    const std::string foreign = name_foreign_format(data);
    if (foreign == "ICO" || foreign == "CUR") {
        const auto [width, height] = read_icon_size(data);
        check_size(width, height, limits, name);
    }
    if (!foreign.empty()) throw no_image("is " + foreign + ", which residua does not read.");
    throw no_image("is no picture: its content is of no known format.");
}

}  // namespace

const char* name_of(Format format) { return format == Format::jpeg ? "JPEG" : "PNG"; }

Format sniff(std::string_view data, const Limits& limits, const std::string& name, Header& header) {
    check_bytes(data.size(), limits, name);
    const bool jpeg = begins_with(data, jpeg_start);
    if (!jpeg && !begins_with(data, png_signature)) refuse(data, limits, name);
    const Format format = jpeg ? Format::jpeg : Format::png;
    try {
        jpeg ? read_jpeg_header(data, header) : read_png_header(data, header);
    } catch (const BrokenPicture& error) {
        throw damaged(name_of(format), error.what(), name);
    }
    check_size(header.width, header.height, limits, name);
    check_frames(header.frames, limits, name);
    if (header.width == 0 || header.height == 0)
        throw damaged(name_of(format), "has no pixels", name);
    return format;
}

bool looks_like_picture(std::string_view head) {
    if (begins_with(head, jpeg_start) || begins_with(head, png_signature) ||
        !name_other_format(head).empty())
        return true;
    const std::string foreign = name_foreign_format(head);
    if (foreign != "ICO" && foreign != "CUR") return false;
    try {
        const auto [width, height] = read_icon_size(head);
        check_size(width, height, Limits{}, "");
    } catch (const ImageError&) {
        return true;
    }
    return false;
}

}  // namespace residua

#include "pixels/jpeg.hpp"

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <utility>

#include "pixels/jpeg_header.hpp"

extern "C" {
#include <jerror.h>
#include <jpeglib.h>
}

namespace residua {

namespace {

constexpr int rows_at_once = 16;

enum class Outcome { done, truncated, broken };

struct Decoder {
    jpeg_decompress_struct info{};
    jpeg_error_mgr errors{};
    jpeg_source_mgr source{};
    std::jmp_buf escape{};
};

Decoder* owner(j_common_ptr info) { return static_cast<Decoder*>(info->client_data); }

[[noreturn]] void leave(j_common_ptr info) { std::longjmp(owner(info)->escape, 1); }

void keep_silent(j_common_ptr) {}

void do_nothing(j_decompress_ptr) {}

// There is no more: libjpeg then returns to its caller, who sees that the file is cut off. The
// usual source would feign an end of the picture instead.
boolean suspend(j_decompress_ptr) { return FALSE; }

void skip(j_decompress_ptr info, long count) {
    jpeg_source_mgr* source = info->src;
    if (count <= 0) return;
    const size_t skipped = std::min(static_cast<size_t>(count), source->bytes_in_buffer);
    source->next_input_byte += skipped;
    source->bytes_in_buffer -= skipped;
}

void set_up(Decoder& decoder, std::string_view content) {
    decoder.info.err = jpeg_std_error(&decoder.errors);
    decoder.errors.error_exit = leave;
    decoder.errors.output_message = keep_silent;
    decoder.source.init_source = do_nothing;
    decoder.source.fill_input_buffer = suspend;
    decoder.source.skip_input_data = skip;
    decoder.source.resync_to_restart = jpeg_resync_to_restart;
    decoder.source.term_source = do_nothing;
    decoder.source.next_input_byte = reinterpret_cast<const JOCTET*>(content.data());
    decoder.source.bytes_in_buffer = content.size();
}

// Decodes into `image`, whose size and channels are those expected. Nothing in here has a
// destructor, since libjpeg's errors leave by longjmp.
Outcome run(Decoder& decoder, Image& image, int scale) {
    jpeg_decompress_struct& info = decoder.info;
    if (setjmp(decoder.escape) != 0) return Outcome::broken;
    jpeg_create_decompress(&info);
    info.client_data = &decoder;
    info.src = &decoder.source;
    int found = JPEG_HEADER_TABLES_ONLY;
    while (found == JPEG_HEADER_TABLES_ONLY) found = jpeg_read_header(&info, FALSE);
    if (found == JPEG_SUSPENDED) return Outcome::truncated;
    const int channels = image.channels();
    info.out_color_space = channels == 1 ? JCS_GRAYSCALE : channels == 3 ? JCS_RGB : JCS_CMYK;
    info.scale_num = 1;
    info.scale_denom = static_cast<unsigned>(scale);
    if (!jpeg_start_decompress(&info)) return Outcome::truncated;
    if (info.output_width != static_cast<JDIMENSION>(image.width()) ||
        info.output_height != static_cast<JDIMENSION>(image.height()) ||
        info.output_components != channels)
        return Outcome::broken;
    while (info.output_scanline < info.output_height) {
        JSAMPROW rows[rows_at_once];
        const int first = static_cast<int>(info.output_scanline);
        const int count = std::min(rows_at_once, image.height() - first);
        for (int index = 0; index < count; ++index) rows[index] = image.row(first + index);
        if (jpeg_read_scanlines(&info, rows, static_cast<JDIMENSION>(count)) == 0)
            return Outcome::truncated;
    }
    // It may be cut off from here on: all rows are there. What follows must make sense all the
    // same; that a second frame begins, libjpeg-turbo 2 sees later than 3, which Pillow has.
    if (!jpeg_finish_decompress(&info) && starts_frame(info.unread_marker)) return Outcome::broken;
    return Outcome::done;
}

uint8_t clip(int value) { return static_cast<uint8_t>(std::clamp(value, 0, 255)); }

// Adobe writes inks inverted, and all programs read them so. The product of two bytes is divided
// by 255 as Pillow divides it.
Image convert_inks(const Image& inks) {
    Image rgb(inks.width(), inks.height(), 3);
    for (int y = 0; y < inks.height(); ++y) {
        const uint8_t* source = inks.row(y);
        uint8_t* target = rgb.row(y);
        for (int x = 0; x < inks.width(); ++x, source += 4, target += 3) {
            const int light = source[3];
            for (int channel = 0; channel < 3; ++channel) {
                const int product = (255 - source[channel]) * light + 128;
                target[channel] = clip(light - (((product >> 8) + product) >> 8));
            }
        }
    }
    return rgb;
}

}  // namespace

Image decode_jpeg(const Header& header, int scale) {
    const JpegFrame frame = read_jpeg_frame(header.content);
    if (frame.width != header.width || frame.height != header.height)
        throw BrokenPicture("holds another size than it declares");
    const auto reduce = [&](uint32_t side) { return (static_cast<int>(side) + scale - 1) / scale; };
    Image image(reduce(header.width), reduce(header.height), frame.components);
    Decoder decoder;
    decoder.info.client_data = &decoder;
    set_up(decoder, header.content);
    const Outcome outcome = run(decoder, image, scale);
    const size_t left = decoder.source.bytes_in_buffer;
    jpeg_destroy_decompress(&decoder.info);
    if (outcome == Outcome::truncated)
        throw BrokenPicture("cannot be decoded (image file is truncated (" + std::to_string(left) +
                            " bytes not processed))");
    if (outcome == Outcome::broken)
        throw BrokenPicture("cannot be decoded (broken data stream when reading image file)");
    return frame.components == 4 ? convert_inks(image) : std::move(image);
}

}  // namespace residua

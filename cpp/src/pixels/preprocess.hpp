// How bytes become the network's pixels: the record `preprocess` of bundle.json.
#pragma once

namespace residua {

enum class Resampler { pillow, opencv };
enum class Interpolation { bilinear, bicubic };
enum class Rounding { torchvision, paddle };
enum class Aspect { crop, squash, pad };
enum class Colour { grey = 1, rgb = 3, rgba = 4 };  // the value is the number of channels

struct Preprocess {
    int crop_size = 224;
    int short_side = 256;
    Resampler resampler = Resampler::pillow;
    Interpolation interpolation = Interpolation::bilinear;
    Rounding rounding = Rounding::torchvision;
    Aspect aspect = Aspect::crop;
    Colour colour = Colour::rgb;
    double mean[4] = {0, 0, 0, 0};  // of values in 0…1, one a channel

    int channels() const { return static_cast<int>(colour); }
};

}  // namespace residua

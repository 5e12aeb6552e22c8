#include "pixels/geometry.hpp"

#include <algorithm>
#include <cmath>

namespace residua {

namespace {

// Python's rounding: halves to even, which is how the processor rounds unless it is told otherwise.
double round_even(double value) { return std::nearbyint(value); }

int place_crop(double side, int crop, Rounding rounding) {
    if (side < crop) return -((crop - static_cast<int>(side)) / 2);
    if (rounding == Rounding::paddle) return static_cast<int>(std::floor((side - crop) / 2));
    return static_cast<int>(round_even((side - crop) / 2));
}

}  // namespace

Layout lay_out(int width, int height, const Preprocess& preprocess) {
    const int crop = preprocess.crop_size;
    if (preprocess.aspect == Aspect::squash)
        return {static_cast<double>(crop), static_cast<double>(crop), 0, 0};
    const bool cut = preprocess.aspect == Aspect::crop;
    const double side = cut ? preprocess.short_side : crop;
    const int fixed = cut ? std::min(width, height) : std::max(width, height);
    const auto scale = [&](int length) {
        if (preprocess.rounding == Rounding::paddle) return round_even(length * (side / fixed));
        return length == fixed ? side : std::floor(side * length / fixed);
    };
    const double wide = std::max(1.0, scale(width)), high = std::max(1.0, scale(height));
    return {wide, high, place_crop(wide, crop, preprocess.rounding),
            place_crop(high, crop, preprocess.rounding)};
}

}  // namespace residua

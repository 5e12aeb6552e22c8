// residua-aoti BUNDLE MODEL.pt2 IMAGES...: a network that AOTInductor has compiled, without Python.
//
// The smallest whole program: crops as residua makes them, one run of the network, the best class
// of each picture. MODEL.pt2 takes uint8 crops [N, H, W, C] and gives probabilities [N, classes].
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/torch.h>

#include <cstdio>
#include <exception>
#include <vector>

#include "base/errors.hpp"
#include "bundle/bundle.hpp"
#include "pixels/prepare.hpp"
#include "predict/inputs.hpp"

namespace {

using namespace residua;

// The crops of the pictures that can be used, as one tensor; what cannot be used is told.
at::Tensor read_crops(const std::vector<Item>& items, const Preprocess& preprocess,
                      std::vector<std::string>& names) {
    const int64_t side = preprocess.crop_size;
    std::vector<at::Tensor> crops;
    for (const Item& item : items) {
        try {
            auto crop = prepare(read_file(item, Limits{}), preprocess, Limits{}, item.name);
            crops.push_back(
                at::from_blob(crop.data(), {side, side, preprocess.channels()}, at::kByte).clone());
            names.push_back(item.name);
        } catch (const ImageError& error) {
            std::fprintf(stderr, "%s\n", error.what());
        }
    }
    if (crops.empty()) throw UserError("There is no picture that can be used.");
    return at::stack(crops);
}

}  // namespace

int main(int count, char** arguments) try {
    if (count < 4) throw UserError("residua-aoti BUNDLE MODEL.pt2 IMAGES...");
    const c10::InferenceMode without_gradients;
    std::vector<std::string> names;
    const at::Tensor crops = read_crops(list_items({arguments + 3, arguments + count}),
                                        read_preprocess(arguments[1]), names);
    torch::inductor::AOTIModelPackageLoader loader(arguments[2]);
    const auto [scores, classes] = loader.run({crops})[0].max(1);
    for (size_t index = 0; index < names.size(); ++index) {
        const auto place = static_cast<int64_t>(index);
        std::printf("%s\t%lld\t%.5f\n", names[index].c_str(),
                    static_cast<long long>(classes[place].item<int64_t>()),
                    static_cast<double>(scores[place].item<float>()));
    }
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "Error: %s\n", error.what());
    return 1;
}

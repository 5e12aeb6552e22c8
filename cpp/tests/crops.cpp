// residua-crops BUNDLE OUTPUT IMAGES...: the crops alone, for comparison with residua's.
//
// Appends the crop of each picture that can be used to OUTPUT and prints a line a picture: "ok", or
// reason and error between tabs. It knows no OpenVINO, so that the sanitizers see our code only.
#include <cstdio>
#include <exception>
#include <fstream>

#include "base/errors.hpp"
#include "bundle/bundle.hpp"
#include "pixels/prepare.hpp"
#include "predict/inputs.hpp"

int main(int count, char** arguments) try {
    if (count < 4) throw std::runtime_error("residua-crops BUNDLE OUTPUT IMAGES...");
    const residua::Preprocess preprocess = residua::read_preprocess(arguments[1]);
    std::ofstream output(arguments[2], std::ios::binary);
    for (const residua::Item& item : residua::list_items({arguments + 3, arguments + count})) {
        try {
            const residua::Limits limits;
            const std::string data = residua::read_file(item, limits);
            const std::vector<uint8_t> crop = residua::prepare(data, preprocess, limits, item.name);
            output.write(reinterpret_cast<const char*>(crop.data()),
                         static_cast<std::streamsize>(crop.size()));
            std::puts("ok");
        } catch (const residua::ImageError& error) {
            std::printf("%s\t%s\n", error.reason.c_str(), error.what());
        }
    }
    return output.flush() ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}

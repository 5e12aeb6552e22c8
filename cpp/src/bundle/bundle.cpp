#include "bundle/bundle.hpp"

#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "base/errors.hpp"
#include "base/json.hpp"
#include "base/sha256.hpp"

namespace residua {

namespace {

namespace fs = std::filesystem;

constexpr int schema_version = 3;
constexpr uintmax_t manifest_limit = uintmax_t{64} << 20;

[[noreturn]] void refuse(const std::string& path, const std::string& what) {
    throw UserError(path + " " + what + ".",
                    "Copy the bundle again from where it was made, or make it again.");
}

Json read_manifest(const std::string& folder) {
    const std::string path = (fs::path(folder) / "bundle.json").string();
    std::error_code missing;
    if (!fs::is_regular_file(path, missing))
        throw UserError(folder + " is no bundle: it has no bundle.json.",
                        "Give a folder that residua wrote.");
    if (fs::file_size(path, missing) > manifest_limit)
        refuse(path, "is far too large for a manifest");
    std::ifstream file(path, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    if (file.bad()) refuse(path, "cannot be read");
    try {
        Json manifest = Json::parse(text);
        const int version = manifest.at("schema_version").integer();
        if (version > schema_version)
            throw UserError(path + " has schema version " + std::to_string(version) +
                                "; this program reads version " + std::to_string(schema_version) +
                                ".",
                            "Build the program that came with the residua that wrote it.");
        if (version < schema_version)
            throw UserError(path + " has schema version " + std::to_string(version) +
                                ", which holds no exports.",
                            "Make one: residua export " + folder + " --format openvino");
        return manifest;
    } catch (const UserError&) {
        throw;
    } catch (const std::runtime_error& error) {
        refuse(path, std::string("does not fit the schema: ") + error.what());
    }
}

// The value that a word of the schema stands for.
template <typename Value>
Value choose(const Json& word, std::initializer_list<std::pair<const char*, Value>> meanings) {
    for (const auto& [name, value] : meanings)
        if (word.text() == name) return value;
    throw std::runtime_error(word.place() + " is \"" + word.text() + "\", which is not known here");
}

int read_side(const Json& side) {
    const int pixels = side.integer();
    if (pixels < 1 || pixels > 8192)
        throw std::runtime_error(side.place() + " is no side in 1…8192");
    return pixels;
}

Preprocess convert_preprocess(const Json& record) {
    Preprocess result;
    result.crop_size = read_side(record.at("crop_size"));
    result.short_side = read_side(record.at("short_side"));
    result.resampler = choose<Resampler>(
        record.at("resampler"), {{"pillow", Resampler::pillow}, {"opencv", Resampler::opencv}});
    result.interpolation = choose<Interpolation>(
        record.at("interpolation"),
        {{"bilinear", Interpolation::bilinear}, {"bicubic", Interpolation::bicubic}});
    result.rounding =
        choose<Rounding>(record.at("rounding"),
                         {{"torchvision", Rounding::torchvision}, {"paddle", Rounding::paddle}});
    result.aspect =
        choose<Aspect>(record.at("aspect"),
                       {{"crop", Aspect::crop}, {"squash", Aspect::squash}, {"pad", Aspect::pad}});
    result.colour =
        choose<Colour>(record.at("colour"),
                       {{"RGB", Colour::rgb}, {"grey", Colour::grey}, {"RGBA", Colour::rgba}});
    const std::vector<Json>& mean = record.at("mean").items();
    if (mean.size() != static_cast<size_t>(result.channels()))
        throw std::runtime_error("mean has a value too many or too few");
    for (size_t channel = 0; channel < mean.size(); ++channel)
        result.mean[channel] = mean[channel].number();
    return result;
}

std::string list_names(const Json& exports) {
    std::string names;
    for (const auto& entry : exports.fields()) names += (names.empty() ? "" : ", ") + entry.first;
    return names.empty() ? "none" : names;
}

// Refuses what this program cannot feed.
void check_export(const Json& record, const std::string& name) {
    const std::string& format = record.at("format").text();
    if (format != "openvino" && format != "onnx")
        throw UserError(
            "The export " + name + " is of the format " + format +
                ", which OpenVINO does not open.",
            "Give --export openvino, or another export of the formats openvino or onnx.");
    const Json* batch = record.find("batch");
    if (record.at("input").text() != "crop" || record.at("pixels").text() != "uint8" ||
        record.at("layout").text() != "NHWC" || (batch != nullptr && !batch->is_null()))
        throw UserError("The export " + name + " does not take uint8 crops [N, H, W, C].",
                        "Give --export openvino.");
}

// Compares the files of an export with the manifest. The names must stay within the bundle: a
// manifest may come from anywhere.
void verify_files(const std::string& folder, const Json& record) {
    for (const auto& [name, file] : record.at("files").fields()) {
        const fs::path relative = name;
        bool leads_out = relative.is_absolute() || relative.empty();
        for (const fs::path& part : relative) leads_out = leads_out || part == "..";
        const std::string path = (fs::path(folder) / relative).string();
        if (leads_out) refuse(folder, "names a file outside the bundle: " + name);
        std::error_code missing;
        if (!fs::is_regular_file(path, missing)) refuse(path, "is missing");
        try {
            if (static_cast<double>(fs::file_size(path)) != file.at("bytes").number() ||
                sha256_of(path) != file.at("sha256").text())
                refuse(path, "has another content than was written (size or sha256 differs)");
        } catch (const std::system_error& error) {
            refuse(path, "cannot be read (" + error.code().message() + ")");
        }
    }
}

Bundle convert_manifest(const Json& manifest, const std::string& folder, const std::string& name) {
    const Json& exports = manifest.at("exports");
    const Json* record = exports.find(name);
    if (record == nullptr)
        throw UserError(
            folder + " has no export " + name + "; it has: " + list_names(exports) + ".",
            "Make it: residua export " + folder + " --format openvino");
    check_export(*record, name);
    Bundle bundle;
    bundle.export_name = name;
    bundle.preprocess = convert_preprocess(manifest.at("preprocess"));
    bundle.multi_label =
        choose<bool>(manifest.at("task"), {{"single-label", false}, {"multi-label", true}});
    for (const Json& class_name : manifest.at("classes").at("names").items())
        bundle.classes.push_back(class_name.text());
    const std::string& entry = record->at("entry").text();
    if (record->at("files").find(entry) == nullptr) refuse(folder, "does not list " + entry);
    verify_files(folder, *record);
    bundle.model = (fs::path(folder) / entry).string();
    return bundle;
}

}  // namespace

Bundle read_bundle(const std::string& folder, const std::string& export_name) {
    const Json manifest = read_manifest(folder);
    try {
        return convert_manifest(manifest, folder, export_name);
    } catch (const UserError&) {
        throw;
    } catch (const std::runtime_error& error) {
        refuse(folder + "/bundle.json", std::string("does not fit the schema: ") + error.what());
    }
}

Preprocess read_preprocess(const std::string& folder) {
    return convert_preprocess(read_manifest(folder).at("preprocess"));
}

}  // namespace residua

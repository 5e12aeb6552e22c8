#include "options.hpp"

#include <cstdlib>
#include <functional>
#include <map>

namespace residua {

const char* const help =
    "residua-classify BUNDLE IMAGES... [options]\n"
    "\n"
    "Predicts the classes of pictures (JPEG, PNG) with the OpenVINO export of a residua bundle.\n"
    "IMAGES are files, folders (searched recursively, in sorted order), or - for standard input,\n"
    "a path a line. A picture that cannot be used becomes a record with the reason; the exit code\n"
    "is then 3.\n"
    "\n"
    "  --top-k K         classes a picture [5; multi-label: all above the threshold]\n"
    "  --threshold P     leave out classes of a smaller probability [0; multi-label: 0.5]\n"
    "  --json            one JSON object a line, as residua predict --json\n"
    "  --threads N       threads of the network, and of decoding [all cores]\n"
    "  --batch N         pictures a run of the network [8; with --throughput 1]\n"
    "  --throughput      several runs under way at once: for many pictures\n"
    "  --export NAME     the bundle's export, of the format openvino or onnx [openvino]\n"
    "  --cache FOLDER    keep the compiled graph there: the next start takes half the time\n"
    "  --exact           decode very large photos at full size, slower\n"
    "  --max-bytes N     refuse larger files [64000000]\n"
    "  --max-pixels N    refuse pictures of more [100000000]\n"
    "  --help            this text\n";

namespace {

uint64_t read_count(const std::string& name, const std::string& text, uint64_t most) {
    const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
    const uint64_t value = digits && text.size() <= 15 ? std::stoull(text) : 0;
    if (value < 1 || value > most)
        throw UsageError(name + " is " + text + "; it must be a whole number in 1..." +
                         std::to_string(most) + ".");
    return value;
}

double read_fraction(const std::string& name, const std::string& text) {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || !(value >= 0 && value <= 1))
        throw UsageError(name + " is " + text + "; it must lie in 0...1.");
    return value;
}

// The options by name, as what they do to `options`. A value follows all but the flags.
struct Table {
    std::map<std::string, std::function<void()>> flags;
    std::map<std::string, std::function<void(const std::string&)>> values;
};

Table make_table(Options& options) {
    const auto count = [](const char* name, auto& place, uint64_t most) {
        return [name, &place, most](const std::string& text) {
            place = static_cast<size_t>(read_count(name, text, most));
        };
    };
    constexpr uint64_t any = 1'000'000'000;
    return {
        {
            {"--json", [&] { options.json = true; }},
            {"--throughput", [&] { options.throughput = true; }},
            {"--exact", [&] { options.exact = true; }},
        },
        {
            {"--top-k", count("--top-k", options.top_k, any)},
            {"--batch", count("--batch", options.batch, 1024)},
            {"--threads", count("--threads", options.threads, 1024)},
            {"--max-bytes", count("--max-bytes", options.limits.max_bytes, any)},
            {"--max-pixels", count("--max-pixels", options.limits.max_pixels, any)},
            {"--threshold",
             [&](const std::string& text) {
                 options.threshold = read_fraction("--threshold", text);
             }},
            {"--export", [&](const std::string& text) { options.export_name = text; }},
            {"--cache", [&](const std::string& text) { options.cache = text; }},
        },
    };
}

}  // namespace

std::optional<Options> read_options(const std::vector<std::string>& arguments) {
    Options options;
    const Table table = make_table(options);
    std::vector<std::string> places;
    bool only_places = false;
    for (size_t index = 0; index < arguments.size(); ++index) {
        std::string name = arguments[index], value;
        if (only_places || name == "-" || name.empty() || name[0] != '-') {
            places.push_back(name);
            continue;
        }
        if (name == "--help" || name == "-h") return std::nullopt;
        if (name == "--") {
            only_places = true;
            continue;
        }
        const size_t sign = name.find('=');
        const bool joined = sign != std::string::npos;
        if (joined) value = name.substr(sign + 1), name.resize(sign);
        const auto flag = table.flags.find(name);
        const auto setting = table.values.find(name);
        if (flag != table.flags.end() && !joined) {
            flag->second();
        } else if (setting != table.values.end()) {
            if (!joined && ++index == arguments.size()) throw UsageError(name + " needs a value.");
            setting->second(joined ? value : arguments[index]);
        } else {
            throw UsageError("There is no option " + arguments[index] + ".");
        }
    }
    if (places.size() < 2) throw UsageError("A bundle and at least one picture are needed.");
    options.bundle = places[0];
    options.images.assign(places.begin() + 1, places.end());
    return options;
}

}  // namespace residua

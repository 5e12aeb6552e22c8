// residua-classify: predicts pictures with a residua bundle, without Python.
//
// Exit codes, as of residua: 0 done, 1 an error that the message explains, 2 a misspelt command,
// 3 done but for pictures that could not be used.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <thread>

#include "base/errors.hpp"
#include "bundle/bundle.hpp"
#include "options.hpp"
#include "predict/classify.hpp"

namespace {

using namespace residua;

ClassifyOptions choose(const Options& options, const Bundle& bundle) {
    ClassifyOptions chosen;
    chosen.top_k = options.top_k.value_or(bundle.multi_label ? bundle.classes.size() : 5);
    chosen.threshold = options.threshold.value_or(bundle.multi_label ? 0.5 : 0.0);
    chosen.batch = options.batch.value_or(options.throughput ? 1 : 8);
    chosen.decoders =
        options.threads > 0 ? options.threads : std::max(1u, std::thread::hardware_concurrency());
    chosen.limits = options.limits;
    chosen.exact = options.exact;
    return chosen;
}

int run(const Options& options) {
    const Bundle bundle = read_bundle(options.bundle, options.export_name);
    const std::vector<Item> items = list_items(options.images);
    if (items.empty()) throw UserError("There is no picture in what was given.");
    Engine engine(bundle, {options.throughput, static_cast<int>(options.threads), options.cache});
    size_t bad = 0;
    classify(items, bundle, engine, choose(options, bundle), [&](const Prediction& prediction) {
        bad += !prediction.usable();
        const std::string line = options.json ? write_json(prediction, bundle.classes)
                                              : write_text(prediction, bundle.classes);
        std::fwrite(line.data(), 1, line.size(), stdout);
        std::fputc('\n', stdout);
    });
    if (std::fflush(stdout) != 0) throw UserError("The results cannot be written.");
    if (bad == 0) return 0;
    std::fprintf(stderr, "%zu of %zu pictures could not be used.\n", bad, items.size());
    return 3;
}

}  // namespace

int main(int count, char** arguments) try {
    const std::optional<Options> options = read_options({arguments + 1, arguments + count});
    if (!options) {
        std::fputs(help, stdout);
        return 0;
    }
    return run(*options);
} catch (const UsageError& error) {
    std::fprintf(stderr, "%s\nSee: residua-classify --help\n", error.what());
    return 2;
} catch (const std::exception& error) {
    std::fprintf(stderr, "Error: %s\n", error.what());
    return 1;
}

#include "predict/classify.hpp"

#include <algorithm>
#include <deque>

#include "pixels/prepare.hpp"
#include "predict/decoders.hpp"

namespace residua {

namespace {

// A run under way, and its items in order, unusable ones among them.
struct Batch {
    Run run;
    std::vector<Prediction> items;
    size_t good = 0;

    explicit Batch(Run fresh) : run(std::move(fresh)) {}
};

class Line {
public:
    Line(const Bundle& bundle, Engine& engine, const ClassifyOptions& options,
         const std::function<void(const Prediction&)>& give)
        : bundle_(bundle), options_(options), give_(give) {
        for (size_t lane = 0; lane < engine.lanes() + 1; ++lane)
            idle_.emplace_back(engine.make_run(options.batch));
    }

    // Adds one outcome to the batch that is being filled; starts it when it is full.
    void add(const Item& item, Outcome outcome) {
        Batch& batch = idle_.front();
        Prediction prediction;
        prediction.filename = item.name;
        prediction.error = std::move(outcome.error);
        prediction.reason = std::move(outcome.reason);
        if (prediction.usable())
            std::copy(outcome.crop.begin(), outcome.crop.end(), batch.run.slot(batch.good++));
        batch.items.push_back(std::move(prediction));
        // Where few are good the others must not pile up.
        if (batch.good == options_.batch || batch.items.size() >= 4 * options_.batch) start();
    }

    // Gives what is left.
    void finish() {
        if (!idle_.front().items.empty()) start();
        while (!running_.empty()) give_first();
    }

private:
    void start() {
        if (idle_.front().good > 0) idle_.front().run.start(idle_.front().good);
        running_.push_back(std::move(idle_.front()));
        idle_.pop_front();
        if (idle_.empty()) give_first();
    }

    void give_first() {
        Batch& batch = running_.front();
        const float* answers = batch.good > 0 ? batch.run.wait() : nullptr;
        const size_t classes = bundle_.classes.size();
        for (const Prediction& item : batch.items) {
            if (!item.usable()) {
                give_(item);
                continue;
            }
            give_(rank(answers, classes, item.filename, options_.top_k, options_.threshold));
            answers += classes;
        }
        batch.items.clear();
        batch.good = 0;
        idle_.push_back(std::move(batch));
        running_.pop_front();
    }

    const Bundle& bundle_;
    const ClassifyOptions& options_;
    const std::function<void(const Prediction&)>& give_;
    std::deque<Batch> idle_, running_;
};

}  // namespace

void classify(const std::vector<Item>& items, const Bundle& bundle, Engine& engine,
              const ClassifyOptions& options, const std::function<void(const Prediction&)>& give) {
    const auto make_crop = [&](const Item& item) {
        const std::string data = read_file(item, options.limits);
        return prepare(data, bundle.preprocess, options.limits, item.name, options.exact);
    };
    Line line(bundle, engine, options, give);
    const size_t window = std::max(options.batch * (engine.lanes() + 1), 2 * options.decoders);
    Decoders decoders(items, make_crop, options.decoders, window);
    for (const Item& item : items) line.add(item, decoders.take());
    line.finish();
}

}  // namespace residua

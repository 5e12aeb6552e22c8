// Pictures in, predictions out, in order: decoding ahead while the network computes.
#pragma once

#include <functional>

#include "predict/engine.hpp"
#include "predict/inputs.hpp"
#include "predict/results.hpp"

namespace residua {

struct ClassifyOptions {
    size_t top_k = 5;
    double threshold = 0;
    size_t batch = 8;
    size_t decoders = 1;  // threads
    Limits limits;
    bool exact = false;
};

// Calls `give` with each item's prediction, in order. Memory does not grow with the number of
// pictures: about `batch * (lanes + 2)` crops are held, and two more for each decoder.
void classify(const std::vector<Item>& items, const Bundle& bundle, Engine& engine,
              const ClassifyOptions& options, const std::function<void(const Prediction&)>& give);

}  // namespace residua

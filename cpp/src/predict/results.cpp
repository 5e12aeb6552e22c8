#include "predict/results.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "base/text.hpp"

namespace residua {

namespace {

// "[a, b]" of what `spell` makes of each value.
template <typename Values, typename Spell>
std::string list(const Values& values, Spell spell) {
    std::string text = "[";
    for (const auto& value : values) {
        if (text.size() > 1) text += ", ";
        text += spell(value);
    }
    return text + "]";
}

template <typename Quote>
std::string list_names(const Prediction& prediction, const std::vector<std::string>& names,
                       Quote quote) {
    return list(prediction.class_ids, [&](size_t index) { return quote(names[index]); });
}

std::string list_ids(const Prediction& prediction) {
    return list(prediction.class_ids, [](size_t index) { return std::to_string(index); });
}

std::string list_scores(const Prediction& prediction) {
    return list(prediction.scores, [](float score) { return spell_score(score); });
}

}  // namespace

Prediction rank(const float* probabilities, size_t classes, const std::string& filename,
                size_t top_k, double threshold) {
    std::vector<size_t> order(classes);
    std::iota(order.begin(), order.end(), size_t{0});
    const size_t kept = std::min(top_k, classes);
    std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(kept), order.end(),
                      [&](size_t one, size_t other) {
                          return probabilities[one] != probabilities[other]
                                     ? probabilities[one] > probabilities[other]
                                     : one < other;
                      });
    Prediction prediction;
    prediction.filename = filename;
    for (size_t place = 0; place < kept; ++place) {
        if (static_cast<double>(probabilities[order[place]]) < threshold) break;
        prediction.class_ids.push_back(order[place]);
        prediction.scores.push_back(probabilities[order[place]]);
    }
    return prediction;
}

std::string write_json(const Prediction& prediction, const std::vector<std::string>& names) {
    const std::string filename = quote_json(prediction.filename);
    if (!prediction.usable())
        return "{\"filename\": " + filename + ", \"error\": " + quote_json(prediction.error) +
               ", \"reason\": " + quote_json(prediction.reason) + "}";
    return "{\"class_ids\": " + list_ids(prediction) + ", \"scores\": " + list_scores(prediction) +
           ", \"label_names\": " + list_names(prediction, names, quote_json) +
           ", \"filename\": " + filename + "}";
}

std::string write_text(const Prediction& prediction, const std::vector<std::string>& names) {
    const std::string filename = spell_bytes_out(prediction.filename);
    if (!prediction.usable())
        return "error: " + spell_bytes_out(prediction.error) + ", filename: " + filename;
    return "class_ids: " + list_ids(prediction) + ", scores: " + list_scores(prediction) +
           ", label_names: " + list_names(prediction, names, quote_python) +
           ", filename: " + filename;
}

}  // namespace residua

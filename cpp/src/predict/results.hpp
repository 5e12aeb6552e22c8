// What a prediction is, how probabilities become one, and how it is written.
#pragma once

#include <string>
#include <vector>

namespace residua {

// The classes of one picture, best first; or the reason why there are none.
struct Prediction {
    std::string filename;
    std::vector<size_t> class_ids;
    std::vector<float> scores;
    std::string error, reason;

    bool usable() const { return reason.empty(); }
};

// The `top_k` best classes whose probability reaches `threshold`. Equal probabilities are ordered
// by class, as residua orders them.
Prediction rank(const float* probabilities, size_t classes, const std::string& filename,
                size_t top_k, double threshold);

// The JSON object that `residua predict --json` prints.
std::string write_json(const Prediction& prediction, const std::vector<std::string>& names);

// The line that PaddleClas prints.
std::string write_text(const Prediction& prediction, const std::vector<std::string>& names);

}  // namespace residua

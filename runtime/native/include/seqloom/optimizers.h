// One step of an optimizer over all its parameters: the norm of the gradient, clipping and the update, in one call.
#pragma once

#include <cstdint>
#include <vector>

namespace seqloom {

enum class UpdateRule : int { sgd, rmsprop, adam, adamw };

// What a group of parameters shares. The formulas are those of torch.optim (optimizers.cpp has them).
struct UpdateGroup {
    UpdateRule rule = UpdateRule::sgd;
    bool nesterov = false;
    double rate = 0;
    double weight_decay = 0;
    double momentum = 0;      // sgd, rmsprop
    double dampening = 0;     // sgd
    double decay = 0;         // of the mean of the gradients: adam's beta1
    double square_decay = 0;  // of the mean of their squares: adam's beta2, rmsprop's alpha
    double epsilon = 0;
};

// One parameter: arrays of n numbers each, float or, where wide, double; null where the rule has no such state.
struct UpdatedParameter {
    std::int64_t group = 0;  // which of the groups
    bool wide = false;
    bool fresh = false;  // sgd: the momentum starts as this gradient
    std::int64_t n = 0;
    void* weight = nullptr;
    const void* gradient = nullptr;
    void* first = nullptr;   // adam: mean of the gradients; sgd, rmsprop: momentum
    void* second = nullptr;  // adam, rmsprop: mean of the squared gradients
    float* step = nullptr;   // steps so far, counted up here; null for sgd
};

struct Clipping {
    bool measure = false;  // whether the norm is wanted; a step whose norm is not finite is then not taken
    double norm = 0;       // the gradients are scaled down to this L2 norm, 0: never
    double value = 0;      // then cut to +-value each, 0: never
};

// The L2 norm of all gradients before clipping, 0 where it isn't measured, infinite where its square is no float32 and
// some parameter is. The gradients stay as they are. The same bits
// for any number of threads, and on every machine.
double optimizer_step(const std::vector<UpdateGroup>& groups, const std::vector<UpdatedParameter>& parameters, const Clipping& clipping,
                      int threads);

}  // namespace seqloom

// Mistakes planted on purpose, one at a time, in a build for tests alone (SEQLOOM_PLANTED): the numeric tests must catch
// every one of them. In any other build `planted` is false and leaves nothing behind.
#pragma once

#define SEQLOOM_MISTAKES(X)                                                                                            \
    X(swapped_gates)               /* the first two gates in each other's place */                                     \
    X(forgotten_mask)              /* masked steps run */                                                              \
    X(late_by_one)                 /* step t reads the input of the step before */                                     \
    X(state_mask_lost_backward)    /* the gradient passes units that d_h dropped */                                    \
    X(wrong_sign)                  /* of the gradient of GRU's z and LSTM's f */                                       \
    X(bias_gradient_missing)       /* of one gate */                                                                   \
    X(gain_not_used)               /* of the recurrent product's layer norm */                                         \
    X(norm_over_padding)           /* layer norm counts the columns between H and Hp */                                \
    X(peephole_on_old_cell)        /* the output gate looks at c instead of c' */                                      \
    X(zoneout_mean_in_training)    /* instead of draws */                                                              \
    X(draws_by_row_of_tile)        /* instead of row of the batch */                                                   \
    X(dropout_not_scaled)          /* candidates kept are not divided by 1 - p */                                      \
    X(last_state_of_masked_row)    /* zero where the last step is masked */                                            \
    X(reverse_state)               /* backward: the state before step t is that of t - 1 in reverse order too */       \
    X(clip_gradient_not_cut)       /* gradient goes through a clipped c */                                             \
    X(coupled_gradient)            /* da_f without the part through i = 1 - f */                                       \
    X(last_cell_gradient_lost)     /* of the final c */                                                                \
    X(last_strand_lost)            /* weight gradients without the last tiles */                                       \
    X(last_chunk_lost)             /* weight gradients without the first steps */                                      \
    X(elu_slope)                   /* y instead of y + 1 below zero */                                                 \
    X(conv_late_by_one)            /* rows whose taps all lie inside read one row too early */                         \
    X(conv_taps_reversed)          /* the oldest tap takes the newest one's weights */                                 \
    X(conv_dropout_not_scaled)     /* numbers kept are not divided by 1 - p */                                         \
    X(conv_draws_shifted)          /* a step draws the numbers of the next one */                                      \
    X(conv_dropout_lost_backward)  /* the gradient of numbers kept is not divided by 1 - p */                          \
    X(conv_bias_gradient_half)     /* of the first vector of channels alone */                                         \
    X(conv_context_lost_backward)  /* weight gradients without the rows of the context */                              \
    X(conv_last_strand_lost)       /* weight gradients without the last pieces */                                      \
    X(conv_pairs_not_halved)       /* sums of two gradients for the weights' products by pairs */                      \
    X(conv_residual_gradient)      /* without psi's slope */                                                           \
    X(normed_length_fixed)         /* the gradient of a normalised weight without the part through its length */       \
    X(conv_turned_late)            /* turned rows are read one step too early */                                       \
    X(conv_last_channels_short)    /* weight gradients of channels apart without rows that few taps reach */           \
    X(optimizer_bias_kept)         /* Adam without the correction of its first steps */                                \
    X(optimizer_nesterov_lost)     /* plain momentum in its place */                                                   \
    X(optimizer_piece_unmeasured)  /* the norm leaves out the last piece */

namespace seqloom {

enum class Mistake : int {
    none = 0,
#define SEQLOOM_MISTAKE(name) name,
    SEQLOOM_MISTAKES(SEQLOOM_MISTAKE)
#undef SEQLOOM_MISTAKE
};

#if defined(SEQLOOM_PLANTED)
extern Mistake planted_mistake;
#endif

namespace {

#if defined(SEQLOOM_PLANTED)
inline bool planted(Mistake which) { return planted_mistake == which; }
#else
constexpr bool planted(Mistake) { return false; }
#endif

}  // namespace
}  // namespace seqloom

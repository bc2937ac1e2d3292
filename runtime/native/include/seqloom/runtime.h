/* The runtime from C: loads a model folder and goes through a sequence one step at a time.
 *
 * It takes models that say something at every step (task "frame-model") by a recurrent network or a TCN, and refuses the
 * others in a sentence. Numbers go in and come out in the units of the data; the network between them is float32.
 */
#ifndef SEQLOOM_RUNTIME_H
#define SEQLOOM_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct seqloom_model seqloom_model;   /* read-only once loaded: any number of threads may share it */
typedef struct seqloom_stream seqloom_stream; /* one sequence, or a batch of them: one thread at a time */

/* The model of a folder that holds model.json and model.safetensors, or null: then message holds one sentence, cut at
 * size - 1 bytes. message may be null where size is 0. */
seqloom_model* seqloom_load(const char* folder, char* message, size_t size);
void seqloom_free(seqloom_model* model); /* null is allowed; the streams that were opened may go on */

int64_t seqloom_inputs(const seqloom_model* model);  /* numbers that a step reads, I */
int64_t seqloom_outputs(const seqloom_model* model); /* numbers that a step gives, O */
/* What the numbers of a step are: "numbers" in the target's unit, "classes" (probabilities that sum to 1), or "binary"
 * (a probability each). */
const char* seqloom_kind(const seqloom_model* model);
/* The name of an input, or of a class as JSON; null outside of 0 .. count - 1, and for numbers and binary outputs. */
const char* seqloom_input_name(const seqloom_model* model, int64_t input);
const char* seqloom_class_name(const seqloom_model* model, int64_t output);

/* A stream of `batch` sequences side by side, all at their beginning; null and a sentence as above where it can't be. */
seqloom_stream* seqloom_open(const seqloom_model* model, int64_t batch, char* message, size_t size);
void seqloom_close(seqloom_stream* stream); /* null is allowed */

/* One step: x (batch, I) in, y (batch, O) out. Nothing is allocated. */
void seqloom_step(seqloom_stream* stream, const double* x, double* y);
void seqloom_reset(seqloom_stream* stream); /* new sequences begin */

/* The state between two steps, as floats, to go on from elsewhere: of a stream of the same model and batch. */
int64_t seqloom_state_size(const seqloom_stream* stream);
void seqloom_get_state(const seqloom_stream* stream, float* state);
void seqloom_set_state(seqloom_stream* stream, const float* state);

#ifdef __cplusplus
}
#endif

#endif

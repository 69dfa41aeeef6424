/* The arithmetic of bicubic.py for one window, in one pass over the rows that it reads.

   Built if there is a C compiler when the package is installed, and loaded with ctypes: it needs no
   headers of Python. Every bit must be that of the NumPy functions, so each operation must round
   once, to its own type, in the order written: the compiler must not fuse or reorder any of them. */

#include <float.h>
#include <stddef.h>
#include <stdint.h>

/* With 0, 16 and 32 float and double are evaluated in their own type: 16 and 32 concern shorter types
   only, which are not used here. gcc defines 16 for processors with half-precision arithmetic
   (AVX512-FP16). */
#if defined(__FAST_MATH__) ||                                                                       \
    (FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16 && FLT_EVAL_METHOD != 32)
#error "this compiler, or a flag, rounds otherwise: NumPy will do the work"
#endif

/* Compiled twice, for every x86-64 processor and for those with AVX2 (vectors of 256 bits); the dynamic
   linker chooses. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__)
#define EACH_PROCESSOR __attribute__((target_clones("avx2", "default")))
#else
#define EACH_PROCESSOR
#endif

/* Inlined into both versions, so that each is compiled for its own width of vectors. */
#ifdef __GNUC__
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

typedef struct {
    const uint8_t *pixels;
    ptrdiff_t height, width, channels;
    ptrdiff_t row_step, column_step, channel_step; /* in bytes */
} Picture;

/* The taps of the target's rows or columns: each reads four neighbours from `first` on, where 0 is the
   pixel before the picture. */
typedef struct {
    ptrdiff_t count;
    const int32_t *first;
    const float *fraction;
} Taps;

/* A gray level x of channel c becomes (x * unit + shift[c]) / divisor[c]. */
typedef struct {
    float unit;
    const float *shift, *divisor;
} Levels;

INLINE float cubic(float p0, float p1, float p2, float p3, float fraction)
{
    float a1 = p2 - p0;
    float a2 = 2 * p0 - 5 * p1 + 4 * p2 - p3;
    float a3 = 3 * (p1 - p2) + p3 - p0;
    float slope = a1 + fraction * (a2 + fraction * a3);
    return (float)(p1 + 0.5 * (double)fraction * (double)slope);
}

INLINE void widen(const uint8_t *in, ptrdiff_t step, ptrdiff_t width, float unit, float *restrict out)
{
    for (ptrdiff_t x = 0; x < width; x++)
        out[x] = in[x * step] * unit;
}

/* Scale one row of one channel. wide: width + 3 floats of room. */
INLINE void scale_row(const uint8_t *in, ptrdiff_t step, ptrdiff_t width, float unit,
                      const Taps *columns, float *restrict wide, float *restrict out)
{
    ptrdiff_t count = columns->count;
    const int32_t *restrict first = columns->first;
    const float *restrict fraction = columns->fraction;

    if (step == 3) /* the usual step, known to the compiler: a fifth faster, all in all */
        widen(in, 3, width, unit, wide + 1);
    else
        widen(in, step, width, unit, wide + 1);
    wide[0] = 2 * wide[1] - wide[width > 1 ? 2 : 1];
    wide[width + 1] = 2 * wide[width] - wide[width > 1 ? width - 1 : 1];
    wide[width + 2] = wide[width + 1]; /* read only with fraction 0, where its value has no effect */
    const float *wide1 = wide + 1, *wide2 = wide + 2, *wide3 = wide + 3; /* one index for all */
    for (ptrdiff_t x = 0; x < count; x++) {
        int32_t i = first[x];
        out[x] = cubic(wide[i], wide1[i], wide2[i], wide3[i], fraction[x]);
    }
}

/* Return the row that a tap reads: -1 and `height` are the extrapolated rows beyond the border. */
INLINE ptrdiff_t tapped(const Taps *rows, ptrdiff_t y, int tap, ptrdiff_t height)
{
    ptrdiff_t row = rows->first[y] - 1 + tap;
    return row < height ? row : height;
}

/* Scale and normalise a window of a picture.

   wide: width + 3 floats of room.
   lines: 4 * channels * columns->count floats of room for the last four scaled rows; row r is kept in
       slot r & 3.
   out: channels * rows->count * columns->count floats, channel by channel. */
EACH_PROCESSOR
void resnext_bicubic(const Picture *picture, const Taps *rows, const Taps *columns,
                     const Levels *levels, float *wide, float *lines, float *restrict out)
{
    ptrdiff_t height = picture->height, channels = picture->channels, count = columns->count;
    ptrdiff_t size = channels * count; /* of a line */
    ptrdiff_t held[4] = {-2, -2, -2, -2}; /* the row in each slot; -2: empty */

    for (ptrdiff_t y = 0; y < rows->count; y++) {
        const float *line[4];
        for (int tap = 0; tap < 4; tap++) {
            ptrdiff_t row = tapped(rows, y, tap, height), place = row & 3;
            line[tap] = lines + place * size;
            if (row < 0 || row == height || held[place] == row)
                continue;
            held[place] = row;
            for (ptrdiff_t c = 0; c < channels; c++)
                scale_row(picture->pixels + row * picture->row_step + c * picture->channel_step,
                          picture->column_step, picture->width, levels->unit, columns, wide,
                          lines + place * size + c * count);
        }
        for (int tap = 0; tap < 4; tap++) { /* extrapolate beyond the border */
            ptrdiff_t row = tapped(rows, y, tap, height), place = row & 3;
            if ((row >= 0 && row < height) || held[place] == row)
                continue;
            held[place] = row;
            ptrdiff_t inward = height == 1 ? 0 : row < 0 ? 1 : -1;
            ptrdiff_t border = row < 0 ? 0 : height - 1;
            const float *restrict last = lines + (border & 3) * size;
            const float *restrict inner = lines + ((border + inward) & 3) * size;
            float *restrict beyond = lines + place * size;
            for (ptrdiff_t x = 0; x < size; x++)
                beyond[x] = 2 * last[x] - inner[x];
        }
        float fraction = rows->fraction[y];
        for (ptrdiff_t c = 0; c < channels; c++) {
            const float *restrict p0 = line[0] + c * count, *restrict p1 = line[1] + c * count;
            const float *restrict p2 = line[2] + c * count, *restrict p3 = line[3] + c * count;
            float *restrict target = out + (c * rows->count + y) * count;
            float shift = levels->shift[c], divisor = levels->divisor[c];
            for (ptrdiff_t x = 0; x < count; x++)
                target[x] = (cubic(p0[x], p1[x], p2[x], p3[x], fraction) + shift) / divisor;
        }
    }
}

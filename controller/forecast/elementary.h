/* Logarithm, exponential and sine from additions and multiplications alone, so that a forecast is
 * the same, bit for bit, with every compiler, C library and processor (the library's own differ in
 * the last bit between processors with and without fused multiply-add). Relative error below 3e-7.
 * Pure. */
#ifndef HUDDLE_ELEMENTARY_H
#define HUDDLE_ELEMENTARY_H

float elementary_log(float x); /* x > 0 and normal; smaller ones count as the smallest normal */
float elementary_exp(float x); /* clamped to [-87, 88] */
float elementary_sine(float turns); /* sin(2 pi turns) */

#endif

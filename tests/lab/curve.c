/* Interpolation and the envelope: see curve.h. */
#include "tests/lab/curve.h"

const struct curve CURVE_R740 = {
    .watts = { 52.3, 129, 147, 170, 195, 224, 255, 292, 344, 408, 457 },
    .standby_w = 12,
    .boot_w = 147,
};

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

double curve_watts(const struct curve *c, double utilization)
{
    double at = clamp(utilization, 0, 1) * (CURVE_POINTS - 1);
    int i = at >= CURVE_POINTS - 1 ? CURVE_POINTS - 2 : (int)at;

    return c->watts[i] + (c->watts[i + 1] - c->watts[i]) * (at - i);
}

/* The envelope at u is the least chord over u between two points of the set. */
double curve_bound_watts(const struct curve *c, double work, unsigned n_nodes)
{
    double u = clamp(work / n_nodes, 0, 1), best = curve_watts(c, u);

    for (int left = 0; left < CURVE_POINTS; left++) {
        double left_u = left / (CURVE_POINTS - 1.0);
        double left_w = left ? c->watts[left] : c->standby_w;

        for (int right = left + 1; left_u <= u && right < CURVE_POINTS; right++) {
            double right_u = right / (CURVE_POINTS - 1.0);
            double w = left_w + (c->watts[right] - left_w) * (u - left_u) / (right_u - left_u);

            if (right_u >= u && w < best)
                best = w;
        }
    }
    return best * n_nodes;
}

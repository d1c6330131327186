/* Randomness, from the seed alone. */
#include "sim.h"

/* splitmix64 */
uint64_t sim_draw(void)
{
    uint64_t z = sim.random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint32_t sim_below(uint32_t limit)
{
    return (uint32_t)((sim_draw() >> 32) * limit >> 32);
}

int64_t sim_between(int64_t low, int64_t high)
{
    return low + (int64_t)(sim_draw() % (uint64_t)(high - low + 1));
}

bool sim_chance(uint32_t in_ten_thousand)
{
    return sim_below(10000) < in_ten_thousand;
}

int64_t sim_latency(int64_t usual_us)
{
    uint32_t kind = sim_below(100);
    int64_t most = kind < 80 ? 2 * usual_us : kind < 97 ? 20 * usual_us : 200 * usual_us;

    return 1 + (int64_t)sim_below((uint32_t)most);
}

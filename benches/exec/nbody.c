/* The sun and four planets for half a million steps: doubles, square roots,
 * divisions. */
#include <math.h>
#include <stdio.h>

#define BODIES 5

static struct body {
    double x, y, z, vx, vy, vz, mass;
} body[BODIES] = {
    { 0, 0, 0, 0, 0, 0, 39.47 },
    { 4.84, -1.16, -.10, .6, 2.8, -.02, .037 },
    { 8.34, 4.12, -.4, -1.01, 1.82, .008, .011 },
    { 12.89, -15.11, -.22, 1.08, .868, -.01, .0017 },
    { 15.37, -25.9, .179, .979, .594, -.034, .002 },
};

static void advance(double dt)
{
    for (int i = 0; i < BODIES; i++) {
        struct body *a = &body[i];
        for (int j = i + 1; j < BODIES; j++) {
            struct body *b = &body[j];
            double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
            double d = dx * dx + dy * dy + dz * dz;
            double mag = dt / (d * sqrt(d));
            a->vx -= dx * b->mass * mag;
            a->vy -= dy * b->mass * mag;
            a->vz -= dz * b->mass * mag;
            b->vx += dx * a->mass * mag;
            b->vy += dy * a->mass * mag;
            b->vz += dz * a->mass * mag;
        }
    }
    for (int i = 0; i < BODIES; i++) {
        body[i].x += dt * body[i].vx;
        body[i].y += dt * body[i].vy;
        body[i].z += dt * body[i].vz;
    }
}

int main(void)
{
    for (int i = 0; i < 500000; i++)
        advance(.001);
    printf("%.15f %.15f\n", body[0].x, body[1].y);
    return 0;
}

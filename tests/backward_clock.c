/* A clock that is set back by an hour four times a second, for LD_PRELOAD. Only the time of day
 * is changed; the monotonic clocks run on. */
#define _GNU_SOURCE
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *now)
{
    struct timespec since_boot;
    int status = syscall(SYS_clock_gettime, id, now);
    if (status == 0 && id == CLOCK_REALTIME) {
        syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &since_boot);
        /* The remainder keeps the year near the present one on a machine that has run for long. */
        now->tv_sec -= (since_boot.tv_sec % 10000 * 4 + since_boot.tv_nsec / 250000000) * 3600;
    }
    return status;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec fine;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &fine);
    now->tv_sec = fine.tv_sec;
    now->tv_usec = fine.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result)
{
    struct timespec fine;
    clock_gettime(CLOCK_REALTIME, &fine);
    if (result != NULL)
        *result = fine.tv_sec;
    return fine.tv_sec;
}

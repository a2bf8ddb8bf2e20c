// Makes each sync to disk take a millisecond more, as on a disk that is further away. Loaded by LD_PRELOAD.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

typedef int (*sync_fn)(int);

static int slowly(const char *name, int fd) {
  struct timespec millisecond = {0, 1000000};
  nanosleep(&millisecond, 0);
  sync_fn real = (sync_fn)dlsym(RTLD_NEXT, name);
  return real(fd);
}

int fsync(int fd) { return slowly("fsync", fd); }
int fdatasync(int fd) { return slowly("fdatasync", fd); }

// For the build with sanitizers only: OpenVINO's TBB opens a library with RTLD_DEEPBIND, which the
// address sanitizer refuses to live with. Here the flag is left out.
#include <dlfcn.h>

extern "C" void* dlopen(const char* file, int flags) {
    using Open = void* (*)(const char*, int);
    static const auto open = reinterpret_cast<Open>(dlsym(RTLD_NEXT, "dlopen"));
    return open(file, flags & ~RTLD_DEEPBIND);
}

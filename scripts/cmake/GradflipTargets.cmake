# What every target of the project shares: C++20, include paths from the repository root, warnings as errors.

add_library(gradflip_warnings INTERFACE)
target_compile_options(gradflip_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror>)

add_library(gradflip_sanitizers INTERFACE)
if(GRADFLIP_SANITIZE)
  # What g++ concludes from the sanitizers' own branches is not in the sources.
  target_compile_options(gradflip_warnings INTERFACE
    $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds;-Wno-stringop-overflow;-Wno-mismatched-new-delete;-Wno-maybe-uninitialized>)
  target_compile_options(gradflip_sanitizers INTERFACE
    -fsanitize=${GRADFLIP_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(gradflip_sanitizers INTERFACE -fsanitize=${GRADFLIP_SANITIZE})
  if(GRADFLIP_SANITIZE MATCHES "undefined")
    # What AddressSanitizer or a warning finds, too: a third of the compiler's time (conv2d.cu 43 s with them, 29 without).
    target_compile_options(gradflip_sanitizers INTERFACE
      -fno-sanitize=null,object-size,vptr,pointer-overflow,return,returns-nonnull-attribute,nonnull-attribute)
  endif()
endif()

# Instruction sets that CPU kernels are not compiled for (kernels/cpu/simd_targets.h). Kernels have no threads of their
# own, so ThreadSanitizer needs none but the fastest, and the baseline.
set(left_out 0)
if(GRADFLIP_SANITIZE MATCHES "thread")
  set(left_out HWY_SSE4)
endif()
add_library(gradflip_simd INTERFACE)
target_compile_definitions(gradflip_simd INTERFACE "GRADFLIP_SIMD_LEFT_OUT=${left_out}")

# gradflip_settings(<target>): for executables and test support; gradflip_library() calls it for the layers.
function(gradflip_settings target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(${target} PRIVATE
    $<BUILD_INTERFACE:gradflip_warnings> $<BUILD_INTERFACE:gradflip_sanitizers> $<BUILD_INTERFACE:gradflip_simd>)
  # No contraction that depends on the optimisation level: the same source gives the same bits.
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off>)
endfunction()

# gradflip_cuda_settings(<target>): for targets with .cu files. A kernel that spills registers or keeps an array in
# local memory is slow in a way that no test shows: ptxas says so, and it counts as an error. Not where a compiler that
# nobody has tried must not end the build, as where GPU time is short.
option(GRADFLIP_CUDA_WARNINGS_ARE_ERRORS "nvcc's and ptxas' warnings end the build" ON)
function(gradflip_cuda_settings target)
  set(strict $<$<BOOL:${GRADFLIP_CUDA_WARNINGS_ARE_ERRORS}>:-Werror=all-warnings>)
  # By hand: CMake 3.25 does not know the standard of newer toolkits.
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20
    --expt-relaxed-constexpr ${GRADFLIP_CUDA_MORE_CODE} -Xptxas=-warn-spills,-warn-lmem-usage ${strict} -Xcompiler=-Wall,-Wextra>)
endfunction()

# gradflip_precompile(<target> <header>... | REUSE_FROM <target>): headers that most of a target's files include, parsed
# once for it, or for all targets with its options. With g++ only, and not with ccache, which cannot keep what depends on
# them. The preset debug and scripts/coverage.sh compile every file by itself, so an include that is missing shows.
function(gradflip_precompile target)
  if(GRADFLIP_PRECOMPILED_HEADERS AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU"
      AND NOT CMAKE_CXX_COMPILER_LAUNCHER MATCHES "ccache")
    if(ARGV1 STREQUAL "REUSE_FROM")
      target_precompile_headers(${target} ${ARGN})
    else()
      target_precompile_headers(${target} PRIVATE ${ARGN})
    endif()
    # Behind such headers g++ 12 sees faults in std::string that are not there; without them it does not.
    target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-stringop-overread -Wno-stringop-overflow -Wno-restrict)
  endif()
endfunction()

# gradflip_together(<target> [SANITIZED]): where GRADFLIP_COMPILE_TOGETHER is on (test.sh), eight files are one translation
# unit, which parses their headers, and compiles what these define, once. SANITIZED: for what users run, in builds with
# sanitizers only. Files that define the same name in unnamed namespaces do not go together.
function(gradflip_together target)
  if(GRADFLIP_COMPILE_TOGETHER AND (GRADFLIP_SANITIZE OR NOT "SANITIZED" IN_LIST ARGN))
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  endif()
endfunction()

# gradflip_library(<layer> SOURCES ... DEPENDS ...): the static library gradflip_<layer>, alias gradflip::<layer>.
function(gradflip_library layer)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;DEPENDS")
  add_library(gradflip_${layer} STATIC ${ARG_SOURCES})
  add_library(gradflip::${layer} ALIAS gradflip_${layer})
  set_target_properties(gradflip_${layer} PROPERTIES EXPORT_NAME ${layer})
  target_include_directories(gradflip_${layer} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/gradflip>)
  target_link_libraries(gradflip_${layer} PUBLIC ${ARG_DEPENDS})
  gradflip_settings(gradflip_${layer})
  gradflip_together(gradflip_${layer} SANITIZED)
endfunction()

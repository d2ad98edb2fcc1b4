# Decides whether the CUDA backend is built: sets GRADFLIP_WITH_CUDA (0 or 1) and GRADFLIP_CUDA_SUMMARY, and enables
# the language; GRADFLIP_CUDA_MORE_CODE is for gradflip_cuda_settings(). The backend needs a toolkit of CUDA 12 or later;
# an older one counts as none.

set(GRADFLIP_WITH_CUDA 0)
set(GRADFLIP_CUDA_MORE_CODE)
set(GRADFLIP_CUDA_SUMMARY "off (GRADFLIP_CUDA=OFF)")

# What may be missing goes into the summary, or ends the configuration if CUDA was asked for.
function(gradflip_no_cuda reason remedy)
  if(GRADFLIP_CUDA STREQUAL "ON")
    message(FATAL_ERROR "GRADFLIP_CUDA=ON: ${reason}; ${remedy}, or configure with AUTO or OFF")
  endif()
  set(GRADFLIP_CUDA_SUMMARY "off (${reason})" PARENT_SCOPE)
endfunction()

if(NOT GRADFLIP_CUDA STREQUAL "OFF")
  include(CheckLanguage)
  if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
    # Where NVIDIA's own packages put it, without touching PATH.
    find_program(GRADFLIP_NVCC nvcc HINTS /usr/local/cuda/bin)
    mark_as_advanced(GRADFLIP_NVCC)
    if(GRADFLIP_NVCC)
      set(CMAKE_CUDA_COMPILER "${GRADFLIP_NVCC}")
    endif()
  endif()
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    # Ampere and Ada run the first, and the driver compiles its PTX for whatever is newer. Hopper has code of its own from
    # the same PTX: byte for byte what it gets from PTX for itself, without another pass of the compiler's slower half.
    # Toolkits from 12.0 to 13 know both.
    set(CMAKE_CUDA_ARCHITECTURES 80)
    set(GRADFLIP_CUDA_MORE_CODE --generate-code=arch=compute_80,code=sm_90a)
  endif()
  if(NOT CMAKE_CUDA_COMPILER)
    check_language(CUDA)
  endif()
  if(NOT CMAKE_CUDA_COMPILER)
    gradflip_no_cuda("no CUDA toolkit found" "install one or set CUDACXX to its nvcc")
  else()
    enable_language(CUDA)
    if(CMAKE_CUDA_ARCHITECTURES STREQUAL "native")
      # Not CMake's word itself: it stops the configuration where no GPU is, and takes GPUs that the kernels do not.
      set(CMAKE_CUDA_ARCHITECTURES ${CMAKE_CUDA_ARCHITECTURES_NATIVE})
      list(FILTER CMAKE_CUDA_ARCHITECTURES INCLUDE REGEX "^([89]|1[0-9])[0-9]-")
      list(TRANSFORM CMAKE_CUDA_ARCHITECTURES REPLACE "^90-" "90a-")
    endif()
    if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12)
      gradflip_no_cuda("the CUDA toolkit is ${CMAKE_CUDA_COMPILER_VERSION}, 12 or later is needed" "update it")
    elseif(NOT CMAKE_CUDA_ARCHITECTURES)
      gradflip_no_cuda("CMAKE_CUDA_ARCHITECTURES=native, and the CUDA runtime sees no GPU from compute capability 8.0 on"
        "name architectures, as 90a-real")
    else()
      find_package(CUDAToolkit REQUIRED)
      set(GRADFLIP_WITH_CUDA 1)
      list(JOIN CMAKE_CUDA_ARCHITECTURES " " architectures)
      if(GRADFLIP_CUDA_MORE_CODE)
        string(APPEND architectures " 90a-real")
      endif()
      set(GRADFLIP_CUDA_SUMMARY "on (CUDA ${CMAKE_CUDA_COMPILER_VERSION}; ${architectures})")
    endif()
  endif()
endif()
# For scripts that read the cache.
set(GRADFLIP_BUILT_WITH_CUDA ${GRADFLIP_WITH_CUDA} CACHE INTERNAL "Whether the CUDA backend is built")

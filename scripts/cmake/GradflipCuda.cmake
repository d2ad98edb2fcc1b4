# Decides whether the CUDA backend is built: sets GRADFLIP_WITH_CUDA (0 or 1) and GRADFLIP_CUDA_SUMMARY.
# The backend needs CUDA >= 12 and the .cu files beside the kernels; an older toolkit counts as none.

set(GRADFLIP_WITH_CUDA 0)

file(GLOB gradflip_cuda_sources "${PROJECT_SOURCE_DIR}/kernels/*.cu")
if(GRADFLIP_CUDA STREQUAL "OFF")
  set(GRADFLIP_CUDA_SUMMARY "off (GRADFLIP_CUDA=OFF)")
elseif(NOT gradflip_cuda_sources)
  set(GRADFLIP_CUDA_SUMMARY "off (this version has CPU kernels only)")
  if(GRADFLIP_CUDA STREQUAL "ON")
    message(FATAL_ERROR "GRADFLIP_CUDA=ON: this version has CPU kernels only; configure with AUTO or OFF")
  endif()
endif()

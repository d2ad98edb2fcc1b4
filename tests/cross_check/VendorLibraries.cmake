# cuBLAS and cuDNN as targets gradflip::cublas and gradflip::cudnn, where they are: in the CUDA toolkit, or in a folder
# of GRADFLIP_VENDOR_ROOTS that holds include/ and lib/ (a Python wheel of theirs is such a folder). Sets
# GRADFLIP_CUBLAS_SUMMARY and GRADFLIP_CUDNN_SUMMARY in the cache.
include_guard(GLOBAL)

set(GRADFLIP_VENDOR_ROOTS "" CACHE STRING "Folders with include/ and lib/ of cuBLAS or cuDNN, besides the CUDA toolkit")

# gradflip_vendor_library(<name> <header> LIBRARY...): the target links all of the libraries.
function(gradflip_vendor_library name header)
  string(TOUPPER ${name} upper)
  set(hints ${GRADFLIP_VENDOR_ROOTS} ${CUDAToolkit_TARGET_DIR} ${CUDAToolkit_LIBRARY_ROOT})
  find_path(GRADFLIP_${upper}_INCLUDE ${header} HINTS ${hints} ${CUDAToolkit_INCLUDE_DIRS} PATH_SUFFIXES include)
  set(found ${GRADFLIP_${upper}_INCLUDE})
  set(files)
  foreach(library ${ARGN})
    string(TOUPPER ${library} library_upper)
    # Wheels hold libcublas.so.13 without the link libcublas.so.
    find_library(GRADFLIP_${library_upper}_LIBRARY
      NAMES ${library} lib${library}.so.13 lib${library}.so.12 lib${library}.so.9
      HINTS ${hints} ${CUDAToolkit_LIBRARY_DIR} PATH_SUFFIXES lib lib64)
    mark_as_advanced(GRADFLIP_${library_upper}_LIBRARY)
    if(NOT GRADFLIP_${library_upper}_LIBRARY)
      set(found)
    endif()
    list(APPEND files ${GRADFLIP_${library_upper}_LIBRARY})
  endforeach()
  mark_as_advanced(GRADFLIP_${upper}_INCLUDE)

  if(NOT GRADFLIP_WITH_CUDA)
    set(summary "off (no CUDA backend)")
  elseif(NOT found)
    set(summary "off (${header} or its library not found; GRADFLIP_VENDOR_ROOTS names more folders)")
  else()
    list(GET files 0 first)
    set(summary "on (${first})")
    add_library(gradflip_${name} INTERFACE)
    add_library(gradflip::${name} ALIAS gradflip_${name})
    target_include_directories(gradflip_${name} SYSTEM INTERFACE
      ${GRADFLIP_${upper}_INCLUDE} ${CUDAToolkit_INCLUDE_DIRS})
    target_link_libraries(gradflip_${name} INTERFACE ${files})
  endif()
  set(GRADFLIP_${upper}_SUMMARY "${summary}" CACHE INTERNAL "")
endfunction()

gradflip_vendor_library(cublas cublas_v2.h cublas cublasLt)
gradflip_vendor_library(cudnn cudnn.h cudnn)

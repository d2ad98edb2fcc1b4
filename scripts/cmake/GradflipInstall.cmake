# cmake --install and find_package(gradflip): the three libraries and their public headers (component
# `development`), and the two programs (component `apps`).

# Headers that only the library's own sources include. tests/package compiles every installed header by itself, so
# a public header that needs one of these fails there.
set(gradflip_private_headers
  runtime/cuda_devices.h
  runtime/memory_backends.h
  runtime/nvidia_driver.h
  runtime/safetensors_header.h)

set(gradflip_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/gradflip)

install(TARGETS gradflip_kernels gradflip_runtime gradflip_models EXPORT gradflipTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)

foreach(layer kernels runtime models)
  file(GLOB_RECURSE headers RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${layer}/*.h)
  list(FILTER headers EXCLUDE REGEX "^kernels/.*/")
  list(REMOVE_ITEM headers ${gradflip_private_headers})
  foreach(header ${headers})
    cmake_path(GET header PARENT_PATH folder)
    install(FILES ${PROJECT_SOURCE_DIR}/${header}
      DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/gradflip/${folder} COMPONENT development)
  endforeach()
endforeach()

configure_package_config_file(${PROJECT_SOURCE_DIR}/scripts/cmake/gradflipConfig.cmake.in
  ${PROJECT_BINARY_DIR}/gradflipConfig.cmake
  INSTALL_DESTINATION ${gradflip_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/gradflipConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/gradflipConfig.cmake ${PROJECT_BINARY_DIR}/gradflipConfigVersion.cmake
  DESTINATION ${gradflip_package_dir} COMPONENT development)
install(EXPORT gradflipTargets NAMESPACE gradflip:: DESTINATION ${gradflip_package_dir}
  COMPONENT development)

if(GRADFLIP_APPS)
  install(TARGETS dann_mnist gradflip RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT apps)
endif()

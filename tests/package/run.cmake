# Run by ctest; the variables are those of CMakeLists.txt beside it.

function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

set(prefix ${WORK_DIR}/prefix)
file(REMOVE_RECURSE ${WORK_DIR})

run(${CMAKE_COMMAND} --install ${BUILD_DIR} --component development --prefix ${prefix})

# Every installed header must compile by itself: one that needs a private header, or forgot an include, fails here.
file(GLOB_RECURSE headers RELATIVE ${prefix}/include/gradflip ${prefix}/include/gradflip/*.h)
if(NOT headers)
  message(FATAL_ERROR "no headers were installed into ${prefix}/include/gradflip")
endif()
foreach(header ${headers})
  string(MAKE_C_IDENTIFIER ${header} name)
  file(WRITE ${WORK_DIR}/headers/${name}.cpp "#include \"${header}\"\n")
endforeach()

run(${CMAKE_COMMAND} -S ${CONSUMER_DIR} -B ${WORK_DIR}/build -G ${GENERATOR}
  -D CMAKE_PREFIX_PATH=${prefix}
  -D CMAKE_CXX_COMPILER=${CXX_COMPILER}
  -D CMAKE_BUILD_TYPE=${BUILD_TYPE}
  -D GRADFLIP_VERSION=${VERSION}
  -D HEADER_CHECKS=${WORK_DIR}/headers)
run(${CMAKE_COMMAND} --build ${WORK_DIR}/build)
run(${WORK_DIR}/build/consumer)

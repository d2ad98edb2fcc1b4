// Loads and stores with a cache hint: the hint changes nothing here.
#pragma once

#include "tests/simt/language/qualifiers.h"

template <typename T>
__forceinline__ T __ldg(const T* address) {
  return *address;
}
template <typename T>
__forceinline__ T __ldca(const T* address) {
  return *address;
}
template <typename T>
__forceinline__ T __ldcg(const T* address) {
  return *address;
}
template <typename T>
__forceinline__ T __ldcs(const T* address) {
  return *address;
}
template <typename T>
__forceinline__ T __ldlu(const T* address) {
  return *address;
}
template <typename T>
__forceinline__ void __stwb(T* address, T value) {
  *address = value;
}
template <typename T>
__forceinline__ void __stcg(T* address, T value) {
  *address = value;
}
template <typename T>
__forceinline__ void __stcs(T* address, T value) {
  *address = value;
}
template <typename T>
__forceinline__ void __stwt(T* address, T value) {
  *address = value;
}

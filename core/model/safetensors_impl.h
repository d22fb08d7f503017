/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors_impl.h - the layout that reader and writer share; private to core/model. */
#ifndef MICRO_MODEL_SAFETENSORS_IMPL_H
#define MICRO_MODEL_SAFETENSORS_IMPL_H

#define SAFETENSORS_LENGTH_BYTES 8 /* the file begins with the header's length, a u64 */
#define SAFETENSORS_ALIGNMENT	 8 /* the writer pads the header, so that data is aligned */
#define SAFETENSORS_METADATA	 "__metadata__"

#endif

/* The module: defines every function that JavaScript can call. */
#include "binding.h"

NAPI_MODULE_INIT()
{
	if (!define_report(env, exports) || !define_secret(env, exports) || !define_notify(env, exports) ||
	    !define_aead(env, exports))
		return NULL;
	return exports;
}

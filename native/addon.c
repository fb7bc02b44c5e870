/* The module: every function that it gives to JavaScript. */
#include "binding.h"

NAPI_MODULE_INIT()
{
	if (!define_report(env, exports) || !define_secret(env, exports) || !define_notify(env, exports) ||
	    !define_aead(env, exports))
		return NULL;
	return exports;
}

/* Reads and replaces the security descriptor of a WMI namespace, by its class __SystemSecurity. */
#define COBJMACROS
#include "lumetry-svc.h"
#include <ole2.h>
#include <wbemidl.h>

#define LARGEST_DESCRIPTOR (32 * 1024)

static IWbemServices *services;

static int failed_call(const wchar_t *name, HRESULT result)
{
    fwprintf(stderr, L"the WMI namespace %ls: error 0x%08lx%ls\n", name, (unsigned long)result,
             result == (HRESULT)WBEM_E_INVALID_NAMESPACE ? L", there is none of this name" : L"");
    return result == (HRESULT)WBEM_E_INVALID_NAMESPACE ? ENDED_WITHOUT_SERVICE : ENDED_BADLY;
}

static HRESULT connect(const wchar_t *name)
{
    IWbemLocator *locator = NULL;
    BSTR path = SysAllocString(name);
    HRESULT result = CoInitializeEx(NULL, COINIT_MULTITHREADED);
    if (SUCCEEDED(result))
        result = CoInitializeSecurity(NULL, -1, NULL, NULL, RPC_C_AUTHN_LEVEL_PKT_PRIVACY, RPC_C_IMP_LEVEL_IMPERSONATE,
                                      NULL, EOAC_NONE, NULL);
    if (SUCCEEDED(result))
        result = CoCreateInstance(&CLSID_WbemLocator, NULL, CLSCTX_INPROC_SERVER, &IID_IWbemLocator, (void **)&locator);
    if (SUCCEEDED(result)) {
        result = IWbemLocator_ConnectServer(locator, path, NULL, NULL, NULL, 0, NULL, NULL, &services);
        IWbemLocator_Release(locator);
    }
    if (SUCCEEDED(result))
        result = CoSetProxyBlanket((IUnknown *)services, RPC_C_AUTHN_DEFAULT, RPC_C_AUTHZ_DEFAULT, COLE_DEFAULT_PRINCIPAL,
                                   RPC_C_AUTHN_LEVEL_PKT_PRIVACY, RPC_C_IMP_LEVEL_IMPERSONATE, NULL, EOAC_NONE);
    /* Wine's is in this process and has no proxy. */
    if (result == E_NOINTERFACE) result = S_OK;
    SysFreeString(path);
    return result;
}

/* Calls a method of __SystemSecurity, and says what became of it by its own return value, too. */
static HRESULT call(const wchar_t *method_name, IWbemClassObject *in, IWbemClassObject **out)
{
    /* The class has one instance and methods that take none: providers differ in which of the two they want. */
    const wchar_t *objects[] = {L"__SystemSecurity", L"__SystemSecurity=@"};
    BSTR method = SysAllocString(method_name);
    HRESULT result = WBEM_E_NOT_FOUND;
    for (size_t at = 0; at < ARRAYSIZE(objects) && FAILED(result); at++) {
        BSTR object = SysAllocString(objects[at]);
        result = IWbemServices_ExecMethod(services, object, method, 0, NULL, in, out, NULL);
        SysFreeString(object);
    }
    SysFreeString(method);
    if (SUCCEEDED(result) && *out) {
        VARIANT returned;
        VariantInit(&returned);
        if (SUCCEEDED(IWbemClassObject_Get(*out, L"ReturnValue", 0, &returned, NULL, NULL)) && V_VT(&returned) == VT_I4)
            result = (HRESULT)V_I4(&returned);
        VariantClear(&returned);
    }
    return result;
}

int show_namespace(const wchar_t *name)
{
    IWbemClassObject *out = NULL;
    VARIANT descriptor;
    BYTE *bytes;
    LONG last;
    HRESULT result = connect(name);
    if (SUCCEEDED(result)) result = call(L"GetSD", NULL, &out);
    VariantInit(&descriptor);
    if (SUCCEEDED(result)) result = IWbemClassObject_Get(out, L"SD", 0, &descriptor, NULL, NULL);
    if (SUCCEEDED(result) && V_VT(&descriptor) != (VT_ARRAY | VT_UI1)) result = WBEM_E_UNEXPECTED;
    if (SUCCEEDED(result)) result = SafeArrayGetUBound(V_ARRAY(&descriptor), 1, &last);
    if (SUCCEEDED(result)) result = SafeArrayAccessData(V_ARRAY(&descriptor), (void **)&bytes);
    if (FAILED(result)) return failed_call(name, result);
    for (LONG at = 0; at <= last; at++) printf("%02x", bytes[at]);
    printf("\n");
    SafeArrayUnaccessData(V_ARRAY(&descriptor));
    return ENDED_WELL;
}

static int digit(char letter)
{
    const char *digits = "0123456789abcdef", *found = letter ? strchr(digits, letter) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* The descriptor on standard input as an array of bytes; NULL if it is none. */
static SAFEARRAY *read_descriptor(void)
{
    static char input[2 * LARGEST_DESCRIPTOR + 2];
    int length = read_input(input, sizeof input);
    while (length > 0 && (input[length - 1] == '\n' || input[length - 1] == '\r')) length--;
    if (length <= 0 || length % 2) return NULL;
    SAFEARRAY *array = SafeArrayCreateVector(VT_UI1, 0, (ULONG)length / 2);
    BYTE *bytes;
    if (!array || FAILED(SafeArrayAccessData(array, (void **)&bytes))) return NULL;
    for (int at = 0; at < length / 2; at++) {
        int high = digit(input[2 * at]), low = digit(input[2 * at + 1]);
        if (high < 0 || low < 0) return NULL;
        bytes[at] = (BYTE)(high << 4 | low);
    }
    BOOL is_valid = IsValidSecurityDescriptor(bytes);
    SafeArrayUnaccessData(array);
    return is_valid ? array : NULL;
}

int set_namespace(const wchar_t *name)
{
    IWbemClassObject *class = NULL, *signature = NULL, *in = NULL, *out = NULL;
    BSTR class_name = SysAllocString(L"__SystemSecurity");
    VARIANT descriptor;
    V_VT(&descriptor) = VT_ARRAY | VT_UI1;
    V_ARRAY(&descriptor) = read_descriptor();
    if (!V_ARRAY(&descriptor)) {
        fputws(L"standard input holds no security descriptor in hexadecimal\n", stderr);
        return ENDED_BY_USAGE;
    }
    HRESULT result = connect(name);
    if (SUCCEEDED(result)) result = IWbemServices_GetObject(services, class_name, 0, NULL, &class, NULL);
    if (SUCCEEDED(result)) result = IWbemClassObject_GetMethod(class, L"SetSD", 0, &signature, NULL);
    if (SUCCEEDED(result)) result = IWbemClassObject_SpawnInstance(signature, 0, &in);
    if (SUCCEEDED(result)) result = IWbemClassObject_Put(in, L"SD", 0, &descriptor, 0);
    if (SUCCEEDED(result)) result = call(L"SetSD", in, &out);
    return FAILED(result) ? failed_call(name, result) : ENDED_WELL;
}

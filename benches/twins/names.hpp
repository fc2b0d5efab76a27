// Names of a job's inputs, told to Python, which hands over columns and constants in that order.
#pragma once
#define FIELD(name) double name;
#define COLUMN(name) const double* name;
#define TEXT(name) #name " "
#define JOB(job)                                                                     \
    struct Fixed { FIXED(FIELD) };                                                   \
    struct Rows { ROWS(COLUMN) };                                                    \
    extern "C" const char* job##_fixed() { return "" FIXED(TEXT); }                     \
    extern "C" const char* job##_rows() { return "" ROWS(TEXT); }

# SPDX-License-Identifier: Apache-2.0
# Turn the text file INPUT into the C header OUTPUT with one string named NAME.
file(READ "${INPUT}" text)
string(REPLACE "\\" "\\\\" text "${text}")
string(REPLACE "\"" "\\\"" text "${text}")
string(REPLACE "\n" "\\n\"\n\t\"" text "${text}")
file(WRITE "${OUTPUT}" "static const char ${NAME}[] =\n\t\"${text}\";\n")

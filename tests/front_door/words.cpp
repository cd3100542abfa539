// Prints the words that it is started with, one on a line, in brackets. It stands for the programs that tutorial.cmd
// starts.

#include <cstdio>

int main(int count, char** words) {
    for (int word = 1; word < count; ++word) {
        std::printf("[%s]\n", words[word]);
    }
}

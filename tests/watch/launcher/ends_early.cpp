extern "C" __declspec(dllimport) int needed();

int main() {
    return needed();
}

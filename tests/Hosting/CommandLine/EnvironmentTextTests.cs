using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Hosting.Tests.CommandLine;

/// <summary>Values of options in the environment, or in files that it names: secrets had to be in the environment itself.</summary>
public sealed class EnvironmentTextTests : IDisposable
{
    private readonly string _variable = $"KES_TEST_{Guid.CreateVersion7():N}";
    private readonly string _file = Path.GetTempFileName();

    public void Dispose()
    {
        Environment.SetEnvironmentVariable(_variable, null);
        Environment.SetEnvironmentVariable(_variable + "_FILE", null);
        File.Delete(_file);
    }

    [Theory]
    [InlineData("secret", "secret")]
    [InlineData("secret\n", "secret")]
    [InlineData("secret\r\n", "secret")]
    [InlineData(" se;cret \n\n", " se;cret \n")]
    public void Text_of_a_file_is_read_without_the_line_break_at_its_end(string content, string text)
    {
        File.WriteAllText(_file, content);
        Environment.SetEnvironmentVariable(_variable + "_FILE", _file);
        EnvironmentText.Read(_variable, out bool isFile).ShouldBe(text);
        isFile.ShouldBeTrue();
    }

    [Fact]
    public void Variable_itself_is_read_and_none_is_null()
    {
        EnvironmentText.Read(_variable, out _).ShouldBeNull();
        Environment.SetEnvironmentVariable(_variable, "plain");
        EnvironmentText.Read(_variable, out bool isFile).ShouldBe("plain");
        isFile.ShouldBeFalse();
    }

    [Fact]
    public void Variable_and_file_together_are_refused_without_the_value()
    {
        Environment.SetEnvironmentVariable(_variable, "hidden");
        Environment.SetEnvironmentVariable(_variable + "_FILE", _file);
        string message = Should.Throw<InvalidInputException>(() => EnvironmentText.Read(_variable, out _)).Message;
        message.ShouldContain($"{_variable} and {_variable}_FILE are both set");
        message.ShouldNotContain("hidden");
    }

    [Fact]
    public void File_that_cannot_be_read_is_named()
    {
        Environment.SetEnvironmentVariable(_variable + "_FILE", _file + ".none");
        Should.Throw<InvalidInputException>(() => EnvironmentText.Read(_variable, out _)).Message.ShouldContain(
            $"{_variable}_FILE names '{_file}.none', which cannot be read");
    }
}
